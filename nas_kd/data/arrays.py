"""Arrays on disk, named by what is in them and memory-mapped, so that workers share one copy."""

import hashlib
import mmap
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from nas_kd.errors import DataNotHere, Unusable
from nas_kd.files import replace


@dataclass(frozen=True, slots=True)
class ArrayRef:
    """Where an array lies and what it must be: a job carries this instead of the array."""

    sha256: str
    path: str
    shape: tuple[int, ...]
    dtype: str

    def open(self) -> NDArray[Any]:
        """The array, memory-mapped and read-only. Raises DataNotHere."""
        if not Path(self.path).exists():
            raise DataNotHere(self.sha256, self.path, socket.gethostname())
        try:
            array: NDArray[Any] = np.load(self.path, mmap_mode="r")
        except (EOFError, ValueError) as error:
            wrong, right = f"is damaged ({error})", "Remove it, then run the same again."
            raise Unusable(self.path, wrong, right) from error
        return array

    @classmethod
    def of(cls, array: NDArray[Any], path: Path) -> Self:
        """The record of an array that lies at `path`."""
        return cls(content(array), str(path), array.shape, str(array.dtype))

    @classmethod
    def save(cls, array: NDArray[Any], path: Path, sha256: str | None = None) -> Self:
        """Write the array, whose hash may be known already, to `path`, whole or not at all."""
        array = np.ascontiguousarray(array)
        replace(path, lambda file: write(file, array))
        return cls(sha256 or content(array), str(path), array.shape, str(array.dtype))


def kept_array(array: NDArray[Any], place: Path, name: str, sha256: str | None = None) -> ArrayRef:
    """The array in a folder of the cache, under its name and hash; written unless it is there."""
    sha256 = sha256 or content(array)
    path = place / f"{name}-{sha256[:12]}.npy"
    kept = ArrayRef(sha256, str(path), array.shape, str(array.dtype))
    try:
        kept.open()
    except (DataNotHere, Unusable):
        return ArrayRef.save(array, path, sha256)
    return kept


PIECE = 4096
"""So many rows are handled at once."""

LARGE = 2**28
"""Bytes of an array that is kept on disk rather than in memory while it is filled."""


def room(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array to be filled; a large one lies in a file that is gone when nobody holds it."""
    if prod(shape) * np.dtype(dtype).itemsize < LARGE:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype, "w+", shape=shape)


def content(array: NDArray[Any]) -> str:
    """Hash of an array's type, shape and values."""
    digest = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    for piece in pieces(array):
        digest.update(np.ascontiguousarray(piece).data)
    return digest.hexdigest()


def write(file: BinaryIO, array: NDArray[Any]) -> None:
    """As numpy.save, in pieces."""
    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(file, header)
    for piece in pieces(array):
        file.write(np.ascontiguousarray(piece).data)


def pieces(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """An array's rows, some thousands at a time; what was read of a mapped one is let go."""
    for first in range(0, len(array), PIECE):
        yield array[first : first + PIECE]
        release(array)


def release(array: NDArray[Any]) -> None:
    """Let go of the memory in which a mapped array was read or written; its file keeps it."""
    if isinstance(array, np.memmap) and array.nbytes >= LARGE and hasattr(mmap, "MADV_DONTNEED"):
        mapped = getattr(array, "_mmap", None)
        if mapped is not None:
            mapped.madvise(mmap.MADV_DONTNEED)
