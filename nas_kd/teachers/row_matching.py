"""Which row of a table of answers is about which row of the transfer set.

Suffixes: M rows of the table, N rows of the transfer set, C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.cells import plain_name
from nas_kd.data.origin import SPLITS
from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableTeacher


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


def columns_of(data: TransferSet) -> tuple[str, ...]:
    """The columns of the data's table as it was read; none where they are no table."""
    if not data.origin.tables:
        return ()
    return tuple(map(str, data.origin.as_read(slice(0, 1)).columns))


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
        read = frame[[split != "synthetic" for split in split_N]]
        if read.nunique() < len(read) or read.isna().any():
            wrong = f"is matched by {own[0]!r}, which is not another in each row of the data"
            raise UnusableTeacher(given, wrong, "Match by a column `row` instead.")
        return (
            [
                (split if split == "synthetic" else own[0], plain_name(value))
                for split, value in zip(split_N, frame.tolist(), strict=True)
            ],
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
