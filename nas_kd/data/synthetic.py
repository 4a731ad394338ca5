"""Synthetic rows of a table as a part of the transfer set, and as rows that could have been read.

Suffixes: N rows of the transfer set, M synthetic ones, K columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.cells import plain_name
from nas_kd.data.columns import Column, Matrix, Table, encode
from nas_kd.data.dates import FORMATS
from nas_kd.data.munge import munge
from nas_kd.data.source import UNLABELLED, Labelled
from nas_kd.data.splits import Part
from nas_kd.errors import UnusableData

if TYPE_CHECKING:
    import pandas as pd

TRANSFER = ("train", "unlabelled")
"""The parts of which synthetic rows are made."""


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Synthetic rows, and the rows that they were made of."""

    rows_MK: Matrix
    base_M: NDArray[np.int64]
    """The rows of the transfer set, counted through its parts."""

    def part(self, kind: np.dtype[np.generic]) -> Part:
        """The rows as a part of the transfer set."""
        none_M = np.full(len(self.rows_MK), UNLABELLED, np.int64)
        return Part.whole(Labelled(self.rows_MK.astype(kind), none_M), "synthetic")


def synthetic_rows(
    name: str, parts: Mapping[str, Part], table: Table | None, columns: Sequence[Column],
    times: float, seed: int,
) -> Synthetic:  # fmt: skip
    """So many synthetic rows for each row of the transfer set. Raises UnusableData for data that
    are no table."""
    of = [parts[one] for one in TRANSFER if one in parts]
    rows_NK = np.concatenate([part.source.examples_NX[part.index_N] for part in of])
    if rows_NK.ndim != 2:
        right = "Leave munge out: it mixes the columns of rows. Pictures and signals have views."
        raise UnusableData(f"munge = {times:g}", f"data {name!r} are no table", right)
    words = [None] * rows_NK.shape[1] if table is None else table.words
    features = rows_NK if table is None else encode(table, columns, rows_NK)
    nominal_K = np.array([one is not None for one in words])
    count = round(times * len(rows_NK))
    if count == 0 or len(rows_NK) < 2:
        wrong = f"makes no row of {len(rows_NK):,}"
        raise UnusableData(f"munge = {times:g}", wrong, "Say more, such as munge=1.")
    return Synthetic(*munge(rows_NK.astype(np.float64), nominal_K,
                            features.astype(np.float32), count, seed))  # fmt: skip


def rows_as_read(
    made: Synthetic, table: Table, whole: "pd.DataFrame", number_N: NDArray[np.int64]
) -> "pd.DataFrame":
    """Synthetic rows as they could have been read: each as the row that it was made of, with its
    own values in the columns that are features. The numbers of the transfer set's rows in the
    `whole` table are given."""
    frame = whole.iloc[number_N[made.base_M]].reset_index(drop=True).copy()
    for place, (name, words) in enumerate(zip(table.names, table.words, strict=True)):
        values_M = made.rows_MK[:, place]
        frame[name] = as_cells(values_M, words, table.dates[place], frame[name])
    return frame


def as_cells(
    values_M: NDArray[np.float64], words: tuple[str, ...] | None, written: str | None,
    like: "pd.Series[Any]",
) -> "pd.Series[Any]":  # fmt: skip
    """Values of a column as its cells are read, of the type that they have there; none where one is
    missing."""
    import pandas as pd

    missing_M = np.isnan(values_M)
    if words is not None:
        cells = np.array([*words, ""], object)[np.where(missing_M, -1, values_M).astype(np.int64)]
    elif written is not None:
        dates = pd.to_datetime(np.where(missing_M, 0, values_M), unit="s")
        form = "%Y-%m-%dT%H:%M:%S" if written == FORMATS[0] else written
        plain = pd.api.types.is_datetime64_any_dtype(like.dtype)
        cells = np.asarray(dates if plain else dates.strftime(form), object)
    elif like.notna().any() and all(isinstance(cell, bool | np.bool_) for cell in like.dropna()):
        cells = (values_M > 0.5).astype(object)
    else:
        cells = values_M.astype(object)
    column = pd.Series(cells, dtype=object).where(~missing_M, None)
    if isinstance(like.dtype, pd.CategoricalDtype):
        known = {plain_name(one): one for one in like.dtype.categories.tolist()}
        return column.map(lambda cell: known.get(plain_name(cell))).astype(like.dtype)
    if pd.api.types.is_string_dtype(like.dtype):  # numbers that are written as text
        column = column.map(plain_name, na_action="ignore")
    try:
        return column.astype(like.dtype)
    except (TypeError, ValueError):  # whole numbers with a gap
        return column if column.isna().all() or words is not None else column.infer_objects()
