"""`module:function`, a function of the user's that returns a network, or whatever has
`predict_proba`."""

from dataclasses import replace

from torch import nn

from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableTeacher
from nas_kd.registry import imported
from nas_kd.teachers.estimators import is_estimator, of_estimator
from nas_kd.teachers.networks import of_network
from nas_kd.teachers.teacher import Answerer, Teacher, TeacherKind


def open_function(teacher: Teacher, data: TransferSet, device: str) -> Answerer:
    """What a function without arguments returns. Raises UnusableTeacher."""
    module, _, function = teacher.target.partition(":")
    given = f"teacher {teacher.target!r}"
    if not (module and function):
        right = "Say train, mymodels:resnet or torchvision:resnet18."
        raise UnusableTeacher(given, "is not of the form module:function", right)
    try:
        found = getattr(imported(module), function)()
    except Exception as error:
        right = (
            "It must be an importable function without arguments that returns an nn.Module, or an "
            "object with predict_proba."
        )
        raise UnusableTeacher(given, f"cannot be made ({error})", right) from error
    if is_estimator(found):
        if teacher.weights:
            right = "Leave --teacher-weights out; it is fitted by the function."
            raise UnusableTeacher(given, "returns an estimator, which takes no weights", right)
        return of_estimator(found, teacher, data)
    if not isinstance(found, nn.Module):
        wrong = f"returns {type(found).__name__}, not an nn.Module, nor what has predict_proba"
        raise UnusableTeacher(given, wrong, "Return the network itself, or a fitted estimator.")
    made = of_network(found, teacher, data, device, teacher.weights)
    if teacher.weights:
        return made
    note = "no --teacher-weights: it has the weights that its function gives"
    return replace(made, notes=(*made.notes, note))


BY_PATH = TeacherKind(open=open_function, weights=True, sees=True)
