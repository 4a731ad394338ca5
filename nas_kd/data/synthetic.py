"""Synthetic rows of a table as a part of the transfer set, and as rows that could have been read.

Suffixes: N rows of the transfer set, M synthetic ones, K columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.columns import Column, Matrix, Table, encode
from nas_kd.data.dates import FORMATS
from nas_kd.data.munge import munge
from nas_kd.data.source import UNLABELLED, Labelled
from nas_kd.data.splits import Part
from nas_kd.errors import UnusableData
from nas_kd.files import replace

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
    return Synthetic(*munge(rows_NK.astype(np.float64), nominal_K,
                            features.astype(np.float32), count, seed))  # fmt: skip


def write_rows(
    made: Synthetic, table: Table, whole: "pd.DataFrame", number_N: NDArray[np.int64], path: Path
) -> None:
    """The rows as a CSV that is read as the data were: each as the row that it was made of, with
    its own values in the columns that are features. The numbers of the transfer set's rows in the
    `whole` table are given."""
    frame = whole.iloc[number_N[made.base_M]].reset_index(drop=True).copy()
    for place, (name, words) in enumerate(zip(table.names, table.words, strict=True)):
        values_M = made.rows_MK[:, place]
        frame[name] = as_cells(values_M, words, table.dates[place])
    text = frame.to_csv(index=False)
    replace(path, lambda file: file.write(text.encode()))


def as_cells(
    values_M: NDArray[np.float64], words: tuple[str, ...] | None, written: str | None
) -> "pd.Series[Any]":
    """Values of a column as its cells are written; none where one is missing."""
    import pandas as pd

    missing_M = np.isnan(values_M)
    if words is not None:
        codes = np.where(missing_M, 0, values_M).astype(np.int64)
        cells = np.array([*words, ""], object)[codes]
    elif written is not None:
        dates = pd.to_datetime(np.where(missing_M, 0, values_M), unit="s")
        form = "%Y-%m-%dT%H:%M:%S" if written == FORMATS[0] else written
        cells = np.asarray(dates.strftime(form), object)
    else:
        return pd.Series(values_M, dtype=object).where(~missing_M, None)
    return pd.Series(cells, dtype=object).where(~missing_M, None)
