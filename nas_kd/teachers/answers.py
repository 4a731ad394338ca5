"""A table of answers: `npz:PATH`, `csv:PATH` or `parquet:PATH` with a row for each example, of
logits or probabilities.

Rows are matched by a column `row` (the number of the row in the data, counted from 0), else by a
column that the data's table has too, else by a column `id` where the data name their examples (the
path of a picture), else by their order. A column `split` says of which split of the source the rows
are; without it they are of the training examples, from which missing splits are cut. An .npz has
the array `logits` or `probabilities` [M, C], and if wanted `row`, `id`, `split` [M] and `classes`
[C].

Suffixes: M rows of the table, N rows of the transfer set, C classes, B rows that are asked for.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_kd.data.frames import read
from nas_kd.data.npz import DAMAGED
from nas_kd.data.source import Rows_N
from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableData, UnusableTeacher
from nas_kd.teachers.adapting import FLOOR
from nas_kd.teachers.estimators import ROUNDED
from nas_kd.teachers.files import file_of
from nas_kd.teachers.row_matching import Answers, columns_of, matched
from nas_kd.teachers.teacher import Answerer, Teacher, TeacherKind

NOTE = 1e-3
"""Where they are further from 1 than this, it is said that they were made to add up."""

FORMS = {"logits": False, "probabilities": True}
"""The arrays of an .npz that are answers, and whether they are probabilities."""


def open_answers(teacher: Teacher, data: TransferSet, device: str) -> Answerer:
    """A table of answers as a teacher. Raises UnusableTeacher for one that does not fit."""
    file, sha256 = file_of(teacher)
    given = f"teacher {teacher.target}"
    found = from_npz(file, given) if teacher.kind == "npz" else from_table(
        file, teacher, data, given
    )  # fmt: skip
    values_MC, notes = in_order(found, data, given)
    gives = teacher.expects.gives
    logits_MC, more = as_logits(values_MC, found.probabilities if gives is None else gives, given)
    place_N, unused = matched(found, data, given)
    notes += more + unused

    def answer(row_B: Rows_N, examples_BX: Tensor) -> Tensor:
        places_B = place_N[row_B]
        if (places_B < 0).any():
            right = "Add the rows of the validation and test splits."
            raise UnusableTeacher(given, "has no answer to some of the examples", right)
        return torch.from_numpy(logits_MC[places_B])

    return Answerer(
        answer=answer, views=False, by_row=True, known_N=place_N >= 0, sha256=sha256, notes=notes
    )


def from_npz(file: Path, given: str) -> Answers:
    """The arrays of an .npz. Raises UnusableTeacher."""
    right = "Save it with numpy.savez(FILE, logits=answers), or probabilities=answers."
    try:
        with np.load(file) as opened:
            arrays = {name: np.asarray(opened[name]) for name in opened.files}
    except DAMAGED as error:
        raise UnusableTeacher(given, f"cannot be read ({error})", right) from error
    forms = [name for name in FORMS if name in arrays]
    if len(forms) != 1:
        wrong = f"has the arrays {', '.join(arrays) or 'none'}"
        raise UnusableTeacher(given, wrong, right)
    values = arrays.pop(forms[0])
    classes = arrays.pop("classes", None)
    if unknown := arrays.keys() - {"row", "id", "split"}:
        wrong = f"has arrays that mean nothing here: {', '.join(sorted(unknown))}"
        raise UnusableTeacher(given, wrong, f"{right} Beside it row, id, split and classes.")
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        wrong = f"has {forms[0]} of shape {values.shape} and type {values.dtype}"
        raise UnusableTeacher(given, wrong, "Give numbers [rows, classes].")
    if lengths := [name for name, array in arrays.items() if array.shape != (len(values),)]:
        wrong = f"has {len(values):,} answers, and {lengths[0]} of shape {arrays[lengths[0]].shape}"
        raise UnusableTeacher(given, wrong, "Give one for each answer.")
    names = None if classes is None else tuple(map(str, np.atleast_1d(classes).tolist()))
    return Answers(values.astype(np.float32), names, FORMS[forms[0]], arrays)


def from_table(file: Path, teacher: Teacher, data: TransferSet, given: str) -> Answers:
    """The columns of a CSV or Parquet file: those of the classes, by their names, and others by
    which rows are matched. Raises UnusableTeacher."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    try:
        frame = read(file, teacher.kind, given)
    except UnusableData as error:
        raise UnusableTeacher(given, error.wrong, error.right) from error
    names = [str(name) for name in frame.columns]
    known = {"row", "id", "split", *columns_of(data)} - {*data.classes}
    keys = [name for name in names if name in known]
    classes = [name for name in names if name not in keys]
    right = f"It needs a column for each class, called as it: {', '.join(data.classes[:12])}."
    if not classes:
        raise UnusableTeacher(given, f"has the columns {', '.join(names[:12])}", right)
    for name in classes:
        column = frame[name]
        if not is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype):
            wrong = f"has a column {name!r} of words, which is no class's and no column of the data"
            raise UnusableTeacher(given, wrong, right)
        if empty := int(column.isna().sum()):
            wrong = f"has {empty:,} empty cells in the column {name!r}"
            raise UnusableTeacher(given, wrong, "Fill them: a number for each class.")
    return Answers(
        frame[classes].to_numpy(np.float32),
        tuple(classes),
        None,
        {name: frame[name].to_numpy() for name in keys},
    )


def in_order(
    found: Answers, data: TransferSet, given: str
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The answers with their columns in the order of the data's classes. Raises UnusableTeacher."""
    mine = data.classes
    if not np.isfinite(found.values_MC).all():
        raise UnusableTeacher(given, "has answers that are NaN or infinite", "Fill them.")
    if found.classes is None:
        if found.values_MC.shape[1] != len(mine):
            wrong = f"has {found.values_MC.shape[1]} columns, and the data have {len(mine)} classes"
            raise UnusableTeacher(given, wrong, f"One for each of {', '.join(mine[:12])}.")
        return found.values_MC, ()
    if {*found.classes} != {*mine} or len(found.classes) != len(mine):
        wrong = f"has columns for {', '.join(found.classes[:12])}"
        right = f"The classes of the data are {', '.join(mine[:12])}: one column for each."
        if {*found.classes} & {"index", "Unnamed: 0"}:
            right += " Save it without its index: index=False."
        raise UnusableTeacher(given, wrong, right)
    places = [found.classes.index(name) for name in mine]
    other = places != sorted(places)
    return found.values_MC[:, places], ("its classes are in another order: undone",) * other


def as_logits(
    values_MC: NDArray[np.float32], said: bool | None, given: str
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Logits, where the values are probabilities their logarithms, and what is to be said.

    Raises UnusableTeacher for values that are not what they are said to be, or where nothing is
    said and they could be either.
    """
    if not len(values_MC):
        raise UnusableTeacher(given, "has no rows", "Give an answer for each example.")
    sums_M = values_MC.sum(1, dtype=np.float64)
    off = float(np.abs(sums_M - 1).max())
    within = bool((values_MC >= 0).all() and (values_MC <= 1 + NOTE).all())
    even = bool((values_MC >= 0).all() and np.ptp(sums_M) <= ROUNDED * sums_M.mean() and off > 1)
    if said is None and even:
        wrong = f"has rows that each add up to {sums_M.mean():.4g}, as percentages do"
        right = "Divide them by that, or if they are logits: --fix teacher_gives=logits."
        raise UnusableTeacher(given, wrong, right)
    if said is False or (said is None and not within):
        return values_MC, ()
    if not within:
        row = int(np.flatnonzero(((values_MC < 0) | (values_MC > 1 + NOTE)).any(1))[0])
        value = values_MC[row][np.abs(values_MC[row] - 0.5).argmax()]
        wrong = f"is said to have probabilities, and row {row:,} has {value:g}: these are logits"
        raise UnusableTeacher(
            given, wrong, "Call them so: --fix teacher_gives=logits, or `logits`."
        )
    if off > ROUNDED:
        row = int(np.abs(sums_M - 1).argmax())
        wrong = (
            f"has probabilities that do not add up to 1: those of row {row:,} to {sums_M[row]:g}"
        )
        right = "Divide each row by its sum, or if they are logits: --fix teacher_gives=logits."
        raise UnusableTeacher(given, wrong, right)
    notes: tuple[str, ...] = ("its probabilities are used as logits, by their logarithms",)
    if off > NOTE:
        values_MC = (values_MC / sums_M[:, None]).astype(np.float32)
        notes += (f"its probabilities added up to 1 +- {off:.3f}, and were divided by their sum",)
    logits_MC: NDArray[np.float32] = torch.from_numpy(values_MC).clamp_min(FLOOR).log().numpy()
    return logits_MC, notes


ANSWERS = TeacherKind(open=open_answers, table=True)
