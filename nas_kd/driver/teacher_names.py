"""From a spec to its teachers, and to the budgets that are a share of one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from nas_kd.costs.budgets import Budget, parse_budgets
from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableBudget, UnusableTeacher
from nas_kd.spec import StudySpec
from nas_kd.spec.teachers import TRAINED, kind_of, parts_in, parts_of, path_of
from nas_kd.teachers import kind
from nas_kd.teachers.adapting import TeacherInput
from nas_kd.teachers.teacher import Teacher
from nas_kd.teachers.trained import parameters_of

MOST_MEAN = 2.0
"""Pictures whose mean is greater do not go from 0 to 1, nor are they normalised."""

GIVES = {"logits": False, "probabilities": True, "auto": None}


def describe(
    spec: StudySpec, data: TransferSet, weights: Sequence[Path], trust: bool = False
) -> tuple[Teacher, ...]:
    """The teachers that the spec asks for; weight files are for those that take some, in order.

    Raises UnusableTeacher for more or fewer files than such teachers, if there are any.
    """
    require_named_teacher(spec, weights)
    taking = [name for name in parts_in(spec.teacher) if kind(name).weights]
    if weights and len(weights) != len(taking):
        wrong = f"names {len(weights)}, and {len(taking)} of the teachers take a file"
        right = f"Say one for each, in order: {', '.join(taking)}."
        if not taking:
            right = f"Leave it out: {', '.join(parts_in(spec.teacher))} has its weights."
        raise UnusableTeacher("--teacher-weights", wrong, right)
    files = iter(weights)
    return tuple(described(spec, data, whole, files, trust) for whole in spec.teacher)


def described(
    spec: StudySpec, data: TransferSet, name: str, weights: Iterator[Path], trust: bool
) -> Teacher:
    """A teacher of this name; it takes its weight files from those that are left."""
    plain = Teacher(
        name, data.input_shape, len(data.classes), spec.teacher_width, trust=trust,
        expects=TeacherInput(
            output=spec.teacher_output,
            size=spec.teacher_size,
            mean=spec.teacher_mean or None,
            std=spec.teacher_std or None,
            gives=GIVES[spec.teacher_gives],
            colour=kind(name).colour,
            data_mean=data.mean,
            data_std=data.std,
            unit=255.0 if in_bytes(data) else 1.0,
        ),
    )  # fmt: skip
    names = parts_of(name)
    if len(names) > 1:
        number = count()
        parts = (described(spec, data, one, weights, trust) for one in names)
        return replace(plain, parts=tuple(
            replace(one, member=next(number)) if one.kind == TRAINED else one for one in parts
        ))  # fmt: skip
    if plain.kind == TRAINED:
        width = name.partition(":")[2]
        return replace(plain, width=int(width)) if width else plain
    if path := path_of(name):
        return replace(plain, weights=str(path))
    if kind(name).weights:
        file = next(weights, None)
        return replace(plain, weights=str(file.resolve())) if file else plain
    return plain


def require_named_teacher(spec: StudySpec, weights: Sequence[Path]) -> None:
    """Raise UnusableTeacher where something is said of teachers that none of those named is: of a
    weight file, or of a network's pictures and outputs."""
    said = {
        "--teacher-weights": bool(weights), "--teacher-output": spec.teacher_output is not None,
        "--teacher-size": spec.teacher_size is not None, "--teacher-mean": bool(spec.teacher_mean),
    }  # fmt: skip
    about = [flag for flag, is_said in said.items() if is_said]
    kinds = [kind(name) for name in parts_in(spec.teacher)]
    if about and all_trained(spec):
        wrong = f"{'is' if len(about) == 1 else 'are'} for a teacher of yours, and none is named"
        right = "Name it: --teacher module:function, or torchvision:resnet18."
        raise UnusableTeacher(" ".join(about), wrong, right)
    if about[bool(weights) :] and not any(one.sees for one in kinds):
        wrong = f"{'is' if len(about) == 1 else 'are'} for networks, and none is named"
        raise UnusableTeacher(" ".join(about[bool(weights) :]), wrong, "Leave it out.")
    gives = spec.teacher_gives != "auto"
    if gives and not any(one.sees or one.table for one in kinds):
        wrong = "is for networks and tables of answers, and none is named"
        raise UnusableTeacher(f"teacher_gives = {spec.teacher_gives}", wrong, "Leave it out.")


def all_trained(spec: StudySpec) -> bool:
    """Whether every teacher of a spec is trained here."""
    return all(kind_of(name) == TRAINED for name in parts_in(spec.teacher))


def in_bytes(data: TransferSet) -> bool:
    """Whether pictures go from 0 to 255, as numbers of whatever type."""
    pictures = len(data.input_shape) == 3
    return data.examples.dtype == "uint8" or (pictures and max(data.mean) > MOST_MEAN)


def to_be_trained(teachers: Sequence[Teacher]) -> int | None:
    """How many parameters the first of the teachers will have, if it is still to be trained."""
    if not teachers:
        return None
    parts = teachers[0].parts or teachers[:1]
    trained = all(part.kind == TRAINED for part in parts)
    return sum(map(parameters_of, parts)) if trained else None


def budgets_of(spec: StudySpec, data: TransferSet) -> tuple[Budget, ...]:
    """The spec's budgets before there is a study; a share is of the teacher to be trained.

    Raises UnusableBudget for a share of a teacher of the user's own.
    """
    return parse_budgets(spec.budget, to_be_trained(describe(spec, data, ())))


def shared_budgets(spec: StudySpec, parameters: int | None) -> tuple[Budget, ...]:
    """The budgets of a study whose teacher is ready. Raises UnusableBudget for a share of a teacher
    whose parameters nobody can count."""
    shares = [text for text in spec.budget if "%" in text]
    if parameters is None and shares:
        whose = f"{spec.teacher[0]} has no parameters to count" if spec.teacher else "there is none"
        wrong = f"is a share of the teacher, and {whose}"
        right = "Say a number, such as --budget 20k."
        raise UnusableBudget(f"budget {shares[0]!r}", wrong, right)
    return parse_budgets(spec.budget, parameters)
