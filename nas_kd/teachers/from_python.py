"""Networks and fitted estimators that were given as objects, known in this process only."""

import copy
from collections.abc import Sequence
from typing import Any

from torch import nn

from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableTeacher
from nas_kd.spec.teachers import FROM_PYTHON
from nas_kd.teachers.estimators import is_estimator, of_estimator
from nas_kd.teachers.networks import fingerprint, of_network
from nas_kd.teachers.teacher import Answerer, Teacher, TeacherKind

GIVEN: dict[str, Any] = {}
"""The objects, by the names under which they are teachers."""


def give(objects: Sequence[Any]) -> tuple[str, ...]:
    """Make the objects of one call known, and give their names: their classes', numbered where
    several are of one class, and for a network with weights the beginning of their hash.

    Raises UnusableTeacher for what cannot teach.
    """
    names: list[str] = []
    for found in objects:
        kind = type(found).__name__
        if isinstance(found, type):
            right = f"Give an object of it, trained or fitted: {found.__name__}(...)."
            raise UnusableTeacher(f"teacher {found.__name__}", "is a class", right)
        if not (isinstance(found, nn.Module) or is_estimator(found)):
            right = "Give an nn.Module, or an estimator that is fitted and has predict_proba."
            raise UnusableTeacher(f"teacher {kind}", "cannot be asked for probabilities", right)
        weighs = isinstance(found, nn.Module) and bool(found.state_dict())
        name = f"{FROM_PYTHON}{kind}" + (f"-{fingerprint(found)[:12]}" if weighs else "")
        before = sum(one == name or one.startswith(f"{name}-number-") for one in names)
        names.append(f"{name}-number-{before + 1}" if before else name)
        GIVEN[names[-1]] = found
    return tuple(names)


def open_given(teacher: Teacher, data: TransferSet, device: str) -> Answerer:
    """An object that was given in this process. Raises UnusableTeacher."""
    if teacher.target not in GIVEN:
        right = "Go on from there: nas_kd.search(..., teacher=module, study=FOLDER)."
        wrong = "was given from Python, in another process"
        raise UnusableTeacher(f"teacher {teacher.target!r}", wrong, right)
    found = GIVEN[teacher.target]
    if is_estimator(found):
        return of_estimator(found, teacher, data)
    return of_network(copy.deepcopy(found), teacher, data, device, teacher.weights)


GIVEN_OBJECT = TeacherKind(open=open_given, sees=True)
