"""Faults of the user's teacher: what it is shown, what its answers mean, what it knows.

Suffixes: N examples, C classes.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from nas_kd.check.finding import Fact, Finding
from nas_kd.data.source import UNLABELLED
from nas_kd.data.transfer import Rows, TransferSet, size
from nas_kd.driver.teacher_stage import MEND_TEACHER, judged
from nas_kd.errors import NasKDError, UnusableTeacher
from nas_kd.intervals import at_chance, half_width, told_from_chance
from nas_kd.teachers import opened
from nas_kd.teachers.adapting import Adapted
from nas_kd.teachers.asking import answers_to
from nas_kd.teachers.doubts import doubts
from nas_kd.teachers.steady import expect_steady
from nas_kd.teachers.teacher import Answerer, Teacher
from nas_kd.training import BATCH, answer, normaliser, tensor

MOST = 5_000
"""Examples of a split that are shown to the teacher."""

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, slots=True)
class TeacherUnderTest:
    """A teacher, the data, and what it answers on both splits."""

    answerer: Answerer
    data: TransferSet
    notes: tuple[str, ...]
    train: Rows
    validation: Rows
    train_NC: Tensor
    """Its answers to the train examples."""
    answers_NC: Tensor | None
    """Its answers to the validation examples; None where it has none, or they have no labels."""

    @classmethod
    def load(cls, teacher: Teacher, data: TransferSet) -> "TeacherUnderTest":
        """A teacher, asked. Raises UnusableTeacher."""
        answerer = opened(teacher, data)
        notes = answerer.notes
        train, validation = (
            (rows[0], min(rows[1], rows[0] + MOST)) for rows in (data.labelled, data.validation)
        )
        train_NC = answers_to(answerer, data, train)
        labelled = (tensor(data.labels)[slice(*validation)] != UNLABELLED).all()
        known = labelled and answerer.knows(*validation)
        validation_NC = answers_to(answerer, data, validation) if known else None
        return cls(answerer, data, notes, train, validation, train_NC, validation_NC)

    @property
    def network(self) -> Adapted | None:
        """The network, where it is one that takes normalised examples."""
        return self.answerer.network if isinstance(self.answerer.network, Adapted) else None

    def right(self, answers_NC: Tensor, rows: Rows) -> float:
        """The accuracy of answers to the examples of these rows."""
        return float((answers_NC.argmax(-1) == self.labels(rows)).double().mean())

    def labels(self, rows: Rows) -> Tensor:
        """The labels [N] of these rows."""
        return tensor(self.data.labels)[slice(*rows)]

    @property
    def accuracy(self) -> float:
        """On the validation examples, which are answered."""
        assert self.answers_NC is not None
        return self.right(self.answers_NC, self.validation)

    @property
    def margin(self) -> float:
        """A difference of two accuracies that is no chance: at least three points."""
        return max(0.03, 4.2 * half_width(self.accuracy, size(self.validation)))


def of_teacher(teacher: TeacherUnderTest) -> Iterator[Fact | Finding]:
    """Everything that can be said of a teacher on the data."""
    known = teacher.answers_NC is not None
    if known:
        train = teacher.right(teacher.train_NC, teacher.train)
        yield Fact("teacher", f"{100 * teacher.accuracy:.1f}% of {size(teacher.validation):,} "
                              f"validation examples, {100 * train:.1f}% of {size(teacher.train):,} "
                              "train examples")  # fmt: skip
    else:
        yield Fact("teacher", "its accuracy on validation is not known")
    for note in teacher.notes:
        yield Fact("teacher", note)
    for look in (steady, answers, teaching):
        yield from look(teacher)
    if known:
        yield from order(teacher)
        yield from knowledge(teacher)
    if known and teacher.network:
        yield from normalisation(teacher, teacher.network)
        yield from modes(teacher, teacher.network)


def steady(teacher: TeacherUnderTest) -> Iterator[Finding]:
    """Whether it always answers the same to an example, in eval mode."""
    try:
        expect_steady(teacher.answerer, teacher.data, "the teacher")
    except UnusableTeacher as error:
        yield Finding("teacher", error.wrong, "wrong", error.right)


def answers(teacher: TeacherUnderTest) -> Iterator[Finding]:
    """Whether it gives probabilities."""
    if teacher.network and teacher.network.expects.probabilities:
        yield Finding(
            "teacher", "gives probabilities where logits are meant", "doubtful",
            "Their logarithms are used; take the softmax out of the teacher, since rounded "
            "probabilities lose what it knows of unlikely classes.",
        )  # fmt: skip


def teaching(teacher: TeacherUnderTest) -> Iterator[Finding]:
    """Whether its answers to the examples that students learn from say little."""
    accuracy = None if teacher.answers_NC is None else teacher.accuracy
    labels_N = teacher.labels(teacher.train)
    for wrong, mend in doubts(teacher.train_NC, labels_N, accuracy, size(teacher.validation)):
        yield Finding("teacher", wrong, "doubtful", mend)


def normalisation(teacher: TeacherUnderTest, network: Adapted) -> Iterator[Finding]:
    """Whether it does far better with pixels scaled in another of the usual ways."""
    channels, *sides = teacher.data.input_shape
    pictures = len(sides) == 2
    colour = IMAGENET if pictures and (channels == 3 or network.expects.colour) else None
    unit = network.expects.unit
    mean, std = (
        tuple(v / unit for v in values) for values in (teacher.data.mean, teacher.data.std)
    )
    usual = [((0.0,), (1.0,)), ((0.5,), (0.5,)), ((0.0,), (1 / 255,)), (mean, std), colour]
    best, expects = teacher.accuracy, None
    for way in filter(None, usual):
        other = replace(network.expects, mean=way[0], std=way[1])
        twin = Adapted(network.network, other, network.classes, "the teacher")
        answers_NC = answer(twin, teacher.data, teacher.validation)
        found = teacher.right(answers_NC, teacher.validation)
        if found > max(best, teacher.accuracy + teacher.margin):
            best, expects = found, other
    if expects and expects.mean and expects.std:
        flags = [",".join(f"{v:.4g}" for v in values) for values in (expects.mean, expects.std)]
        yield Finding(
            "teacher",
            f"is right in {best:.1%} instead of {teacher.accuracy:.1%} with another normalisation",
            "wrong", f"Say --teacher-mean {flags[0]} --teacher-std {flags[1]}.",
        )  # fmt: skip


def order(teacher: TeacherUnderTest) -> Iterator[Finding]:
    """Whether its classes are those of the data in another order."""
    labels_N = teacher.labels(teacher.validation).numpy()
    assert teacher.answers_NC is not None
    given_N = teacher.answers_NC.argmax(-1).numpy()
    classes = len(teacher.data.classes)
    table_CC: NDArray[np.int64] = np.zeros((classes, classes), np.int64)
    np.add.at(table_CC, (given_N, labels_N), 1)
    rows, columns = linear_sum_assignment(table_CC, maximize=True)
    best = table_CC[rows, columns].sum() / len(labels_N)
    if best > teacher.accuracy + max(0.1, 5 * half_width(best, len(labels_N))):
        swapped = ", ".join(f"{a} is {b}" for a, b in zip(rows, columns, strict=True) if a != b)
        yield Finding(
            "teacher",
            f"would be right in {best:.1%} instead of {teacher.accuracy:.1%} with its classes in "
            f"another order: its {swapped}",
            "wrong", f"Put its outputs in the data's order: {', '.join(teacher.data.classes)}.",
        )  # fmt: skip


def modes(teacher: TeacherUnderTest, network: Adapted) -> Iterator[Finding]:
    """Whether it is better in train mode: the statistics of its batch norms do not fit."""
    twin = copy.deepcopy(network).train()
    normalise = normaliser(teacher.data)
    examples_NX = tensor(teacher.data.examples)[slice(*teacher.validation)]
    pieces = examples_NX.tensor_split(-(-len(examples_NX) // BATCH))
    try:
        with torch.no_grad():
            parts = [twin(normalise(piece)) for piece in pieces]
    except (NasKDError, RuntimeError, ValueError):
        return  # it answers in another form in train mode
    found = teacher.right(torch.cat(parts), teacher.validation)
    if found > teacher.accuracy + teacher.margin:
        yield Finding(
            "teacher",
            f"is right in {found:.1%} in train mode and {teacher.accuracy:.1%} in eval mode: its "
            "batch norms' running statistics are of other data, or of too few steps",
            "wrong", "Pass the train examples through it once in train mode, and save it again.",
        )  # fmt: skip


def knowledge(teacher: TeacherUnderTest) -> Iterator[Finding]:
    """Yield a finding if the teacher's accuracy is at chance, or suspiciously perfect."""
    count = size(teacher.validation)
    chance, _ = judged("accuracy", teacher.data)
    if at_chance(teacher.accuracy, count, chance):
        yield Finding("teacher", f"is at chance: {teacher.accuracy:.1%}", "wrong", MEND_TEACHER)
    elif not told_from_chance(teacher.accuracy, count, chance):
        what = f"cannot be told from chance on {count:,} examples: {teacher.accuracy:.1%}"
        yield Finding("teacher", what, "doubtful", MEND_TEACHER)
    elif teacher.accuracy == 1.0 and count >= 100:
        yield Finding(
            "teacher", f"is perfect on {count:,} validation examples", "doubtful",
            "Make sure that it was not trained on them: they must be left for judging.",
        )  # fmt: skip
