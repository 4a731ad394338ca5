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
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.arrays import ArrayRef, content, kept_array
from nas_kd.data.frames import read
from nas_kd.data.source import Raw, Rows_N, TableFile
from nas_kd.data.splits import Part
from nas_kd.data.synthetic import Synthetic, rows_as_read
from nas_kd.errors import UnusableData
from nas_kd.files import replace

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "test", "teacher", "unlabelled", "synthetic")
"""The splits of a source, and `synthetic` for rows made from them; a prepared split may be cut from
the source's `train`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the prepared rows are in the source that they came from."""

    rows: ArrayRef
    """[N, 2] int64: the position of the source's split in SPLITS, and the row's number there; of
    tables, its number in the files one after the other, counted from 0 below the first heading."""
    ids: ArrayRef | None = None
    """[N] text, such as the path of a picture inside its folder."""
    tables: tuple[tuple[str, str], ...] = ()
    """The kind of each file whose rows these are, and where a copy of it lies."""

    @classmethod
    def of(
        cls, raw: Raw, parts: Sequence[Part], place: Path, made: Synthetic | None = None
    ) -> Self:
        """The origin of parts that are laid end to end, written to a folder of the cache; synthetic
        rows are written as a further table."""
        tables = kept_tables(raw, place)
        rows_N2 = np.concatenate([origins(raw, part) for part in parts])
        if made and raw.table and tables:
            (row_M,) = np.nonzero(rows_N2[:, 0] == SPLITS.index("synthetic"))
            whole = frame_of(tables)
            # what synthetic rows are made of lies before them
            rows = rows_as_read(made, raw.table, whole, rows_N2[: row_M[0], 1])
            rows_N2[row_M, 1] = len(whole) + np.arange(len(row_M))
            tables = (*tables, kept_rows(rows, raw.files[0].kind, place))
        ids = None
        if raw.ids:
            ids = kept_array(np.concatenate([ids_of(raw, part) for part in parts]), place, "ids")
        return cls(kept_array(rows_N2, place, "origin"), ids, tables)

    @property
    def length(self) -> int:
        """How many rows the files have, also those that are not used, but no synthetic ones."""
        made = self.rows.open()[:, 0] == SPLITS.index("synthetic")
        return len(frame_of(self.tables)) - int(made.sum())

    def in_words(self, row: int) -> str:
        """A prepared row: what it is called, or its number in the source."""
        if self.ids is not None and (name := str(self.ids.open()[row])):
            return repr(name)
        split, number = self.rows.open()[row].tolist()
        return f"row {number:,} of {SPLITS[split]}"

    def as_read(self, rows: slice | Rows_N) -> "pd.DataFrame":
        """Rows of a table with all of its columns, before anything was encoded or left out.

        Raises UnusableData for data that are no file of a table.
        """
        if not self.tables:
            right = "They are kept of csv:PATH and parquet:PATH, where that is a file."
            raise UnusableData("the data", "have no rows of a table", right)
        numbers_N = self.rows.open()[rows, 1]
        return frame_of(self.tables).iloc[numbers_N].reset_index(drop=True)


def origins(raw: Raw, part: Part) -> NDArray[np.int64]:
    """The origin [N, 2] of the rows of a part."""
    numbers = raw.numbers.get(part.split)
    number_N = part.index_N if numbers is None else numbers[part.index_N]
    return np.stack([np.full_like(number_N, SPLITS.index(part.split)), number_N], axis=1)


def ids_of(raw: Raw, part: Part) -> NDArray[np.str_]:
    """The ids [N] of the rows of a part; empty where the source has none for its split."""
    ids = raw.ids.get(part.split)
    return np.full(len(part.index_N), "") if ids is None else ids[part.index_N]


def kept_tables(raw: Raw, place: Path) -> tuple[tuple[str, str], ...]:
    """A copy of each table's file in the cache, since the file itself may change; none where one of
    them is a folder. Raises UnusableData for a file that changed since it was read."""
    if any(file.path.is_dir() for file in raw.files):
        return ()
    return tuple((file.kind, str(kept_table(file, place))) for file in raw.files)


def kept_rows(rows: "pd.DataFrame", kind: str, place: Path) -> tuple[str, str]:
    """Rows in the cache as a table of this kind, under a hash of what they are."""
    import pandas as pd

    marks = pd.util.hash_pandas_object(rows.astype(str), index=False).to_numpy()
    path = place / f"synthetic-{content(marks)[:12]}.{kind}"
    if not path.exists():
        replace(path, lambda file: rows.to_csv(file, index=False) if kind == "csv"
                else rows.to_parquet(file, index=False))  # fmt: skip
    return kind, str(path)


def kept_table(file: TableFile, place: Path) -> Path:
    """A copy of a table's file in the cache. Raises UnusableData."""

    def copied(target: BinaryIO) -> None:
        os.fchmod(target.fileno(), S_IMODE(os.fstat(source.fileno()).st_mode))
        shutil.copyfileobj(source, target)

    with file.path.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        copy = place / f"table-{sha256[:12]}{''.join(file.path.suffixes)}"
        if not copy.exists():
            source.seek(0)
            replace(copy, copied)
    if file.path.stat().st_mtime_ns != file.changed:
        raise UnusableData(str(file.path), "changed while it was read", "Run the same again.")
    return copy


@lru_cache(maxsize=1)
def frame_of(tables: tuple[tuple[str, str], ...]) -> "pd.DataFrame":
    """Tables as they were read, one after the other; text of the first is text in the others."""
    import pandas as pd

    frames: list[pd.DataFrame] = []
    for kind, path in tables:
        text: list[Any] = []
        if frames:
            text = [name for name, type_ in frames[0].dtypes.items() if not is_number(type_)]
        given = f"data {kind}:{path}"
        frames.append(read(Path(path), kind, given, tuple(map(str, text))))
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def is_number(kind: Any) -> bool:
    """Whether a column of this type has numbers or true and false."""
    from pandas.api.types import is_numeric_dtype

    return bool(is_numeric_dtype(kind))
