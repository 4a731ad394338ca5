"""Turns a table's columns into features: fills missing numbers, one-hot encodes words, takes dates
apart.

The fill values, the known words and the columns with missing values are learnt from the train
split alone. Features are not scaled here, because every student's input is normalised later.

Suffixes: N rows, K columns, F features.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.cells import Kind, values_of
from nas_kd.data.dates import PARTS, part
from nas_kd.errors import UnusableData

if TYPE_CHECKING:
    import pandas as pd

Matrix = NDArray[np.float64]
"""[N, K]: numbers, the position of a word, or the seconds of a date; NaN where there is none."""


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file: their names, the words of those that have words, and how the dates of
    those that have dates are written."""

    names: tuple[str, ...]
    words: tuple[tuple[str, ...] | None, ...]
    dates: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """How a column becomes features."""

    name: str
    words: tuple[str, ...] | None
    """A feature for each of these words, all zero for others; None for numbers and dates."""
    fill: float = 0.0
    """What stands for a missing number, or date."""
    flagged: bool = False
    """Whether a feature of its own says that the value was missing."""
    merged: int = 0
    """How many rarer words of the train split have no feature of their own."""
    date: str | None = None
    """How dates are written; None for no date."""
    parts: tuple[str, ...] = ()
    """What of a date are features: what differs in the train split."""

    @property
    def features(self) -> tuple[str, ...]:
        """The names of its features."""
        missing = (f"{self.name} is missing",) if self.flagged else ()
        if self.date:
            return (*(f"{self.name}: {part}" for part in self.parts), *missing)
        if self.words is None:
            return (self.name, *missing)
        return (*(f"{self.name} = {word}" for word in self.words), *missing)


def column_in_words(column: Column) -> str:
    """How a column is encoded, in one line."""
    kind = "is a number"
    if column.date:
        differ = f", of which {' and '.join(column.parts)} differ"
        kind = f"is a date{differ if column.parts else ' that never differs'}"
    elif column.words is not None:
        every, own = len(column.words) + column.merged, len(column.words)
        kind = f"has {every:,} word{'s' * (every != 1)}, each with a feature"
        if column.merged:
            kind = f"has {every:,} words, of which the {own:,} commonest have a feature each"
    elif column.flagged:
        kind = f"is a number, {column.fill:.6g} where it is missing"
    count = len(column.features)
    missing = ", one says whether it is missing" if column.flagged else ""
    return f"{column.name!r} {kind}: {count:,} feature{'s' * (count != 1)}{missing}"


def learn(table: Table, rows_NK: Matrix, most: int) -> tuple[Column, ...]:
    """The columns, as the rows of the train split have them; of one that has words, so many of the
    commonest get a feature at most."""
    found = []
    kinds = zip(table.names, table.words, table.dates, rows_NK.T, strict=True)
    for name, words, date, values_N in kinds:
        missing_N = np.isnan(values_N)
        there = values_N[~missing_N]
        flagged = bool(missing_N.any())
        fill = float(np.median(there)) if len(there) and words is None else 0.0
        if date:
            parts = tuple(one for one in PARTS if len(np.unique(part(one, there))) > 1)
            found.append(Column(name, None, fill, flagged, date=date, parts=parts))
        elif words is None:
            found.append(Column(name, None, fill, flagged))
        else:
            codes, counts = np.unique(there.astype(np.int64), return_counts=True)
            common = np.sort(codes[np.argsort(-counts, kind="stable")[:most]])
            kept = tuple(words[code] for code in common)
            found.append(Column(name, kept, flagged=flagged, merged=len(codes) - len(common)))
    return tuple(found)


def encode(table: Table, columns: Sequence[Column], rows_NK: Matrix) -> NDArray[np.float32]:
    """The features [N, F] of rows."""
    parts: list[NDArray[Any]] = []
    places = {name: place for place, name in enumerate(table.names)}
    for column in columns:
        place = places[column.name]
        values_N = rows_NK[:, place]
        missing_N = np.isnan(values_N)
        words = table.words[place]
        if column.words is None:
            filled_N = np.where(missing_N, column.fill, values_N)
            parts += [part(one, filled_N) for one in column.parts] if column.date else [filled_N]
        elif words is None:
            written = [as_word(value) for value in values_N.tolist()]
            parts += [np.array([text == word for text in written]) for word in column.words]
        else:
            codes = {word: code for code, word in enumerate(words)}
            parts += [values_N == codes.get(word, -1) for word in column.words]
        if column.flagged:
            parts.append(missing_N)
    with np.errstate(over="ignore"):  # what is too large is named by who looks at the result
        return np.stack(parts, axis=1).astype(np.float32)


def as_word(value: float) -> str:
    """A number as it is written where words are: a column of codes may happen to have only some
    that are numbers."""
    return str(int(value)) if value.is_integer() else str(value)


def matrix(
    frame: "pd.DataFrame", kinds: Mapping[str, Kind], given: str, known: bool = False
) -> tuple[Table, Matrix]:
    """A frame's columns, of these kinds, and its values as numbers.

    Raises UnusableData for a cell of another kind where the kinds are `known` from a study.
    """
    read = [values_of(frame[name], kinds[str(name)], given, known) for name in frame.columns]
    names = tuple(map(str, frame.columns))
    written = tuple(kinds[name].written for name in names)
    return Table(names, tuple(w for w, _ in read), written), np.stack([v for _, v in read], axis=1)


def kinds_of(columns: Iterable[Column]) -> dict[str, Kind]:
    """What the cells of columns are."""
    return {
        one.name: Kind("date", one.date)
        if one.date
        else Kind("number" if one.words is None else "word")
        for one in columns
    }


def encode_frame(frame: "pd.DataFrame", columns: Sequence[Column]) -> NDArray[np.float32]:
    """The features [N, F] of a frame that has these columns. Raises UnusableData."""
    names = [column.name for column in columns]
    expect_names(frame.columns, names, "the table")
    table, rows_NK = matrix(frame[names], kinds_of(columns), "the table", known=True)
    return encode_as(table, rows_NK, columns, "the table")


def encode_as(
    table: Table, rows_NK: Matrix, columns: Sequence[Column], given: str
) -> NDArray[np.float32]:
    """The features [N, F] of rows from another table than the one the columns were learnt on.

    Warns where a column has only words that the study did not have. Raises UnusableData if a column
    of words now has numbers, unless each of them, written as text, is one of its words; and for
    numbers that are too large for 32 bits.
    """
    places = {name: place for place, name in enumerate(table.names)}
    for column in columns:
        place = places[column.name]
        words, there_N = table.words[place], rows_NK[:, place][~np.isnan(rows_NK[:, place])]
        if column.words is None or not len(there_N):
            continue
        if words is None and not {as_word(value) for value in there_N} <= {*column.words}:
            wrong = f"has numbers in the column {column.name!r}"
            raise UnusableData(given, wrong, "The study had words there.")
        if words is not None and not {*words} & {*column.words}:
            text = f"{given}: no word in the column {column.name!r} is one that the study had"
            warnings.warn(text, stacklevel=2)
    features_NF = encode(table, columns, rows_NK)
    if not np.isfinite(features_NF).all():
        wrong = "has values that are infinite, or too large for 32 bits"
        raise UnusableData(given, wrong, "Remove or fill them.")
    return features_NF


def expect_names(there: Iterable[str], wanted: Sequence[str], given: str) -> None:
    """Raise UnusableData for columns that are not there."""
    known = set(there)
    if missing := [name for name in wanted if name not in known]:
        wrong = f"has no column {', '.join(map(repr, missing))}"
        raise UnusableData(given, wrong, f"It must have {', '.join(wanted)}.")
