"""The teacher of a package, where its study is at hand: it answers what the student answers.

Suffixes: N examples, C classes, X the shape of an example.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_kd.data.source import Rows_N
from nas_kd.driver.teacher_folder import Place, as_kept, is_here, places
from nas_kd.driver.teacher_names import describe
from nas_kd.errors import DataNotHere, UnusableStudy, UnusableTeacher
from nas_kd.spec.trust import code_named
from nas_kd.study.folder import StudyFolder
from nas_kd.teachers import opened
from nas_kd.teachers.asking import PIECE, expect_same
from nas_kd.teachers.networks import made_of
from nas_kd.teachers.teacher import Answerer, Teacher

Ask = Callable[[NDArray[Any], Rows_N | None], Tensor | str]
"""(examples_NX as they are stored, their rows in the study's data or None for others) -> the
teacher's logits [N, C], or why it cannot be asked for these."""


def teacher_of(facts: Mapping[str, Any], studies: Sequence[Path], trust: bool) -> Ask | str:
    """How to ask the teacher of a package, or why it is not asked."""
    if facts["teacher"] is None:
        return "its study has no teacher"
    target = facts["teacher"]["target"]
    if code_named({"teacher": target}) and not trust:
        return f"{target} is code that is imported with --trust"
    for study in studies:
        folder = StudyFolder(study)
        try:
            if found := kept_teacher(folder, facts, trust):
                return asking(folder, *found)
            return "its study has another teacher, or none any more"
        except (UnusableStudy, UnusableTeacher, DataNotHere) as error:
            return f"it cannot be loaded ({error})"
    return "the package does not lie in its study's folder"


def kept_teacher(
    folder: StudyFolder, facts: Mapping[str, Any], trust: bool
) -> tuple[Teacher, Place] | None:
    """The study's teacher that a package names, and where it lies; None if the study has it no
    more. Raises UnusableStudy."""
    spec, told = folder.read_spec(), facts["teacher"]
    wanted = describe(spec, folder.read_data(), (), trust)
    for teacher, place in zip(wanted, places(folder, len(wanted)), strict=True):
        kept = place.known()
        if kept and (teacher.target, kept["sha256"]) == (told["target"], told["sha256"]):
            return teacher, place
    return None


def asking(folder: StudyFolder, teacher: Teacher, place: Place) -> Ask | str:
    """How to ask a study's teacher, or why it is not asked. Raises UnusableStudy,
    UnusableTeacher."""
    if not is_here(teacher):
        return "it was given from Python, in another process"
    data = folder.read_data()
    answerer = opened(as_kept(place, teacher), data)
    if not made_of(answerer):
        expect_same(answerer, data, place.kept_answers().open())

    def ask(examples_NX: NDArray[Any], row_N: Rows_N | None) -> Tensor | str:
        if row_N is None and answerer.by_row:
            return "it answers by the rows of the study's data, and these are others"
        if row_N is not None and not known(answerer, row_N):
            return "it has no answers to these examples"
        return in_pieces(answerer, examples_NX, row_N)

    return ask


def known(answerer: Answerer, row_N: Rows_N) -> bool:
    """Whether a teacher has an answer to each of these rows."""
    return answerer.known_N is None or bool(answerer.known_N[row_N].all())


@torch.inference_mode()
def in_pieces(answerer: Answerer, examples_NX: NDArray[Any], row_N: Rows_N | None) -> Tensor:
    """A teacher's logits [N, C] to examples as they are stored, some at a time."""
    rows = np.arange(len(examples_NX)) if row_N is None else row_N
    pieces = [slice(first, first + PIECE) for first in range(0, len(rows), PIECE)]
    return torch.cat([
        answerer.answer(rows[piece], torch.from_numpy(np.array(examples_NX[piece])))
        for piece in pieces
    ])  # fmt: skip
