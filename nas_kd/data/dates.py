"""Columns of dates: finding them, reading them, and the numbers that they become.

A date counts as seconds since 1970. Suffix: N rows.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (
    "ISO8601", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "%b %d %Y", "%d %b %Y",
    "%b %d, %Y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M", "%Y/%m/%d %H:%M",
    "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S",
)  # fmt: skip
"""How dates are written. The one that fits most cells is taken, the first of equal ones."""

PARTS = ("year", "month", "day", "weekday", "hour")
"""The numbers that a date becomes. The weekday counts from 0, Monday."""

SHORTEST = 6
"""Text of fewer letters is no date: 2012 and 10-12 are not."""

TRIED = 50
"""So many values are looked at before all are."""


def format_of(column: "pd.Series[Any]", stray: float) -> str | None:
    """How the dates of a column are written, but for a share of cells that are none; None for a
    column of something else."""
    cells = column.dropna()
    for tried in (cells[:TRIED], cells):
        if (tried.str.len() < SHORTEST).mean() > 4 * stray:
            return None
        shares = {written: parsed(tried, written).isna().mean() for written in FORMATS}
        best = min(shares, key=lambda written: shares[written])
        if shares[best] > (stray if tried is cells else 4 * stray + 1 / TRIED):
            return None
    return best


def parsed(column: "pd.Series[Any]", written: str) -> "pd.Series[Any]":
    """The dates of text, none where it is written otherwise."""
    import pandas as pd

    return pd.to_datetime(column, format=written, errors="coerce", utc=True)


def seconds(column: "pd.Series[Any]", written: str) -> NDArray[np.float64]:
    """The dates [N] of a column, NaN where there is none."""
    whole = parsed(column, written).dt.tz_localize(None).to_numpy("datetime64[s]")
    return np.where(np.isnat(whole), np.nan, whole.astype(np.float64))


def part(name: str, date_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """One of the numbers [N] that dates become."""
    whole = date_N.astype(np.int64).astype("datetime64[s]")
    numbers: NDArray[np.int64]
    if name == "year":
        numbers = whole.astype("datetime64[Y]").astype(np.int64) + 1970
    elif name == "month":
        numbers = whole.astype("datetime64[M]").astype(np.int64) % 12 + 1
    elif name == "day":
        month = whole.astype("datetime64[M]").astype("datetime64[D]")
        numbers = (whole.astype("datetime64[D]") - month).astype(np.int64) + 1
    elif name == "weekday":
        numbers = (whole.astype("datetime64[D]").astype(np.int64) + 3) % 7  # day 0 was a Thursday
    else:
        numbers = whole.astype("datetime64[h]").astype(np.int64) % 24
    return numbers.astype(np.float64)
