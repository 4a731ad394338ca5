"""What the cells of a table's column are: numbers, dates or words.

A column of text is one of numbers, or of dates, if nearly all of its cells are; the others count as
missing, and are said. Suffix: N rows.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.dates import FORMATS, format_of, parsed, seconds
from nas_kd.errors import UnusableData

if TYPE_CHECKING:
    import pandas as pd

MARKS = frozenset({"", "?", "-", "--", ".", "na", "n/a", "nan", "null", "none", "missing"})
"""What people write, in letters of any case, where a value is missing."""

STRAY = 0.05
"""Share of a column's cells, marks not counted, that may be none of its kind."""

TRUTH = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a column's cells are, and of dates, how they are written."""

    name: Literal["number", "date", "word"]
    written: str | None = None


def kind_of(column: "pd.Series[Any]") -> Kind:
    """What the cells of a column are."""
    from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

    plain = column.convert_dtypes()  # True beside a gap, too
    if is_numeric_dtype(plain.dtype):
        return Kind("number")
    if is_datetime64_any_dtype(plain.dtype):
        return Kind("date", FORMATS[0])
    cells = column.dropna().astype(str)
    cells = cells[~is_mark(cells)]
    if not len(cells):
        return Kind("word")
    if as_numbers(cells).isna().mean() <= STRAY:
        return Kind("number")
    written = format_of(cells, STRAY)
    return Kind("date", written) if written else Kind("word")


def plain_name(value: Any) -> str:
    """A cell or a class as a name: 7 for 7.0."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def is_mark(column: "pd.Series[Any]") -> "pd.Series[bool]":
    """Which cells are marks for what is missing."""
    return column.astype(str).str.strip().str.lower().isin(MARKS)


def as_numbers(column: "pd.Series[Any]") -> "pd.Series[float]":
    """The numbers, none where a cell is something else."""
    import pandas as pd

    plain = column.convert_dtypes()
    if pd.api.types.is_numeric_dtype(plain.dtype):
        numbers = plain.to_numpy(np.float64, na_value=np.nan)
    else:
        truth = column.astype(str).str.lower().map(TRUTH)
        read = pd.to_numeric(column, errors="coerce").astype("float64")
        numbers = read.fillna(truth).to_numpy(np.float64)
    return pd.Series(numbers, index=column.index)


def odd(column: "pd.Series[Any]", kind: Kind) -> "pd.Series[Any]":
    """The cells that are not of the column's kind."""
    if kind.name == "word":
        return column[:0]
    found = as_numbers(column) if kind.name == "number" else parsed(column, kind.written or "")
    return column[found.isna() & column.notna()]


def values_of(
    column: "pd.Series[Any]", kind: Kind, given: str, known: bool
) -> tuple[tuple[str, ...] | None, NDArray[np.float64]]:
    """The words of a column of words, and the values [N]: numbers, seconds of dates, or the
    positions of words; NaN where there is none.

    Raises UnusableData for a cell that is not of the kind, if that is `known` from a study.
    """
    if kind.name == "word":
        return words_of(column)
    strange = odd(column, kind) if known else column[:0]
    if len(strange := strange[~is_mark(strange)]):
        wrong = f"has {str(strange.iloc[0])!r} in the column {column.name!r}"
        had = f"dates, written as {kind.written}" if kind.written else "numbers"
        raise UnusableData(given, wrong, f"The study had {had} there.")
    if kind.written:
        return None, seconds(column, kind.written)
    values_N: NDArray[np.float64] = np.asarray(as_numbers(column), np.float64)
    return None, values_N


def words_of(column: "pd.Series[Any]") -> tuple[tuple[str, ...] | None, NDArray[np.float64]]:
    """The words of a column and their positions [N]; of codes that happen to be numbers, those."""
    import pandas as pd

    plain = column.convert_dtypes()
    if pd.api.types.is_numeric_dtype(plain.dtype) and not pd.api.types.is_bool_dtype(plain.dtype):
        return None, plain.to_numpy(np.float64, na_value=np.nan)
    codes, known = pd.factorize(column.astype("string"), sort=True)
    return tuple(map(str, known)), np.where(codes < 0, np.nan, codes.astype(np.float64))
