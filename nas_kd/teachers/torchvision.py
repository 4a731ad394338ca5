"""`torchvision:NAME`, one of torchvision's classifiers, with the data's number of classes."""

from difflib import get_close_matches

from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableTeacher
from nas_kd.teachers.networks import of_network
from nas_kd.teachers.teacher import Answerer, Teacher, TeacherKind


def open_torchvision(teacher: Teacher, data: TransferSet, device: str) -> Answerer:
    """One of torchvision's classifiers with the weights of a file. Raises UnusableTeacher."""
    from torchvision import models

    name = teacher.target.partition(":")[2]
    expect_known(teacher, name, models.list_models(module=models), "torchvision")
    network = models.get_model(name, weights=None, num_classes=teacher.classes)
    return of_network(network, teacher, data, device, teacher.weights)


def expect_known(teacher: Teacher, name: str, known: list[str], library: str) -> None:
    """Raise UnusableTeacher for a network that a library does not have, or without weights."""
    given = f"teacher {teacher.target!r}"
    if name not in known:
        close = ", ".join(get_close_matches(name, known, n=3)) or "resnet18"
        right = f"You may have meant: {close}."
        raise UnusableTeacher(given, f"is no model of {library}", right)
    if teacher.weights is None:
        right = f"Name a file that has {teacher.classes} classes with --teacher-weights."
        raise UnusableTeacher(given, "has no weights", right)


TORCHVISION = TeacherKind(open=open_torchvision, weights=True, sees=True, colour=True)
