"""Arrays on disk, named by what is in them and memory-mapped, so that workers share one copy."""

import hashlib
import socket
import tempfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nas_kd.errors import DataNotHere
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
        array: NDArray[Any] = np.load(self.path, mmap_mode="r")
        return array

    @classmethod
    def save(cls, array: NDArray[Any], path: Path, sha256: str | None = None) -> Self:
        """Write the array, whose hash may be known already, to `path`, whole or not at all."""
        array = np.ascontiguousarray(array)
        replace(path, lambda file: np.save(file, array))
        return cls(sha256 or content(array), str(path), array.shape, str(array.dtype))


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
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
