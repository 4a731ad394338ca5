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

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_kd.data.cells import plain_name
from nas_kd.data.frames import read
from nas_kd.data.npz import DAMAGED
from nas_kd.data.origin import SPLITS
from nas_kd.data.source import Rows_N
from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableData, UnusableTeacher
from nas_kd.teachers.adapting import FLOOR
from nas_kd.teachers.estimators import ROUNDED
from nas_kd.teachers.files import file_of
from nas_kd.teachers.teacher import Answerer, Teacher, TeacherKind

NOTE = 1e-3
"""Where they are further from 1 than this, it is said that they were made to add up."""

FORMS = {"logits": False, "probabilities": True}
"""The arrays of an .npz that are answers, and whether they are probabilities."""


@dataclass(frozen=True, slots=True)
class Answers:
    """A table as it was read."""

    values_MC: NDArray[np.float32]
    classes: tuple[str, ...] | None
    """The names of its columns; None for those of the data, in their order."""
    probabilities: bool | None
    """Whether it says so; None where nothing is said."""
    keys: Mapping[str, NDArray[Any]]
    """The columns [M] that are no answers."""


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


def columns_of(data: TransferSet) -> tuple[str, ...]:
    """The columns of the data's table as it was read; none where they are no table."""
    if not data.origin.tables:
        return ()
    return tuple(map(str, data.origin.as_read(slice(0, 1)).columns))


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


def matched(
    found: Answers, data: TransferSet, given: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The row [N] of the table that answers each row of the transfer set, -1 for none, and what is
    to be said of answers that are to nothing. Raises UnusableTeacher."""
    mine_N, theirs_M = keys_of(found, data, given)
    places: dict[Any, int] = {}
    for place, key in enumerate(theirs_M):
        if places.setdefault(key, place) != place:
            wrong = f"has two answers to the same example: {in_words(key)}"
            raise UnusableTeacher(given, wrong, "Keep one of them.")
    place_N = np.array([places.get(key, -1) for key in mine_N])
    mine = {*mine_N}
    strange = [key for key in theirs_M if key not in mine]
    if not strange:
        return place_N, ()
    some = ", ".join(map(in_words, strange[:3]))
    if len(strange) == len(theirs_M):
        wrong = f"has answers to none of the examples: {some}"
        raise UnusableTeacher(
            given, wrong, f"The data have {', '.join(map(in_words, mine_N[:3]))}."
        )
    return place_N, (f"{len(strange):,} of its answers are to no example of the data: {some}",)


Key = tuple[str, Any]
"""A split, or what keys are of; and a number or a name."""


def in_words(key: Key) -> str:
    """A key as people read it."""
    kind, name = key
    return f"row {name:,} of {kind}" if isinstance(name, int) else repr(name)


def keys_of(found: Answers, data: TransferSet, given: str) -> tuple[list[Key], list[Key]]:
    """By what the data's rows and the table's are matched. Raises UnusableTeacher."""
    origin_N2 = data.origin.rows.open()
    split_N = [SPLITS[split] for split in origin_N2[:, 0].tolist()]
    columns = columns_of(data)
    by_number = "row" in found.keys and "row" not in columns
    named = [] if by_number else [name for name in found.keys if name != "split"]
    own = [name for name in named if name in columns]
    if own:
        frame = data.origin.as_read(slice(None))[own[0]]
        if frame.nunique() < len(frame) or frame.isna().any():
            wrong = f"is matched by {own[0]!r}, which is not another in each row of the data"
            raise UnusableTeacher(given, wrong, "Match by a column `row` instead.")
        return (
            [(own[0], plain_name(value)) for value in frame.tolist()],
            [(own[0], plain_name(value)) for value in found.keys[own[0]].tolist()],
        )
    if "id" in named:
        if data.origin.ids is None:
            wrong = "has a column 'id', and the data do not name their examples"
            raise UnusableTeacher(given, wrong, "Match by a column `row` instead.")
        ids = data.origin.ids.open().tolist()
        return [("id", name) for name in ids], [("id", str(n)) for n in found.keys["id"].tolist()]
    one_file = bool(data.origin.tables)
    if one_file:
        split_N = ["train" if split != "synthetic" else split for split in split_N]
    mine = list(zip(split_N, origin_N2[:, 1].tolist(), strict=True))
    counts = {split: 1 + max(n for name, n in mine if name == split) for split in {*split_N}}
    if one_file:
        counts = {"train": data.origin.length}
    return mine, numbered(found, counts, given)


def numbered(found: Answers, counts: Mapping[str, int], given: str) -> list[Key]:
    """The split and number of each row of a table that is matched by numbers or by its order, of
    data with so many examples in each split.

    Raises UnusableTeacher where the order is all that there is, and there are more or fewer rows
    than examples, and for numbers that are none.
    """
    count = len(found.values_MC)
    split_M = ["train"] * count
    if "split" in found.keys:
        split_M = [str(split) for split in found.keys["split"].tolist()]
        if strange := {*split_M} - {*SPLITS}:
            wrong = f"has the split {min(strange)!r}"
            raise UnusableTeacher(given, wrong, f"Splits are called {', '.join(SPLITS)}.")
    if "row" in found.keys:
        row_M = found.keys["row"]
        if row_M.dtype.kind not in "iuf" or not np.array_equal(row_M, row_M.astype(np.int64)):
            raise UnusableTeacher(given, "has a column row that has no whole numbers", "Count "
                                  "the rows of the data from 0.")  # fmt: skip
        return list(zip(split_M, row_M.astype(int).tolist(), strict=True))
    keys, seen = [], dict.fromkeys(SPLITS, 0)
    for split in split_M:
        keys.append((split, seen[split]))
        seen[split] += 1
    for split, rows in seen.items():
        there = counts.get(split, 0)
        if rows not in (0, there):
            wrong = f"has {rows:,} answers without a column `row` or `id`, and the data have "
            right = (
                "Give one for each, in the data's order, or say which are which by such a column."
            )
            raise UnusableTeacher(given, f"{wrong}{there:,} examples in {split}", right)
    return keys


ANSWERS = TeacherKind(open=open_answers, table=True)
