"""Where each prepared row came from: its split and number in the source, its id where the source
has one, and of a table the row as it was read.

Suffixes: N prepared rows.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from stat import S_IMODE
from typing import TYPE_CHECKING, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.arrays import ArrayRef, kept_array
from nas_kd.data.source import Raw
from nas_kd.data.splits import Part
from nas_kd.data.table import read
from nas_kd.errors import UnusableData
from nas_kd.files import replace

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "test", "teacher", "unlabelled")
"""The splits that a source can have; a prepared split may be cut from the source's `train`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the prepared rows are in the source that they came from."""

    rows: ArrayRef
    """[N, 2] int64: the position of the source's split in SPLITS, and the row's number there; of a
    table, its number in the file, counted from 0 below the heading."""
    ids: ArrayRef | None = None
    """[N] text, such as the path of a picture inside its folder."""
    table: tuple[str, str] | None = None
    """The kind of the file whose rows these are, and where a copy of it lies."""

    @classmethod
    def of(cls, raw: Raw, parts: Sequence[Part], place: Path) -> Self:
        """The origin of parts that are laid end to end, written to a folder of the cache."""
        rows_N2 = np.concatenate([origins(raw, part) for part in parts])
        ids = None
        if raw.ids:
            ids = kept_array(np.concatenate([ids_of(raw, part) for part in parts]), place, "ids")
        return cls(kept_array(rows_N2, place, "origin"), ids, kept_table(raw, place))

    def as_read(self, rows: slice) -> "pd.DataFrame":
        """Rows of a table with all of its columns, before anything was encoded or left out.

        Raises UnusableData for data that are no file of a table.
        """
        if self.table is None:
            right = "They are kept of csv:PATH and parquet:PATH, where that is a file."
            raise UnusableData("the data", "have no rows of a table", right)
        numbers_N = self.rows.open()[rows, 1]
        return frame_of(*self.table).iloc[numbers_N].reset_index(drop=True)


def origins(raw: Raw, part: Part) -> NDArray[np.int64]:
    """The origin [N, 2] of the rows of a part."""
    numbers = raw.numbers.get(part.split)
    number_N = part.index_N if numbers is None else numbers[part.index_N]
    return np.stack([np.full_like(number_N, SPLITS.index(part.split)), number_N], axis=1)


def ids_of(raw: Raw, part: Part) -> NDArray[np.str_]:
    """The ids [N] of the rows of a part; empty where the source has none for its split."""
    ids = raw.ids.get(part.split)
    return np.full(len(part.index_N), "") if ids is None else ids[part.index_N]


def kept_table(raw: Raw, place: Path) -> tuple[str, str] | None:
    """A copy of a table's file in the cache, since the file itself may change; none of a folder.

    Raises UnusableData for a file that changed since it was read.
    """
    if raw.file is None or raw.file.path.is_dir():
        return None
    file = raw.file

    def copied(target: BinaryIO) -> None:
        os.fchmod(target.fileno(), S_IMODE(os.fstat(content.fileno()).st_mode))
        shutil.copyfileobj(content, target)

    with file.path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        copy = place / f"table-{sha256[:12]}{''.join(file.path.suffixes)}"
        if not copy.exists():
            content.seek(0)
            replace(copy, copied)
    if file.path.stat().st_mtime_ns != file.changed:
        raise UnusableData(str(file.path), "changed while it was read", "Run the same again.")
    return file.kind, str(copy)


@lru_cache(maxsize=1)
def frame_of(kind: str, path: str) -> "pd.DataFrame":
    """A table as it was read."""
    return read(Path(path), kind, f"data {kind}:{path}")
