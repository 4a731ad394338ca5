"""A job on its way to another machine: the files that it names travel by what is in them.

A job names a file that it reads by its absolute path, whatever record the path stands in. Packed,
such a path is the hash of the file; unpacked, it is the path at which that machine has the file: in
its cache, or at the same place if the same file lies there (a shared file system). The file that a
job writes, in which it counts its epochs, becomes one of that machine's own.
"""

import io
import os
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from nas_kd.files import cache_folder, hashed

COUNTER = ".epochs"
"""How the name of a file that a job writes ends."""


@dataclass(frozen=True, slots=True)
class JobFile:
    """A file that a job reads."""

    sha256: str
    path: str
    """Where the driver has it."""
    size: int

    @property
    def shipped(self) -> Path:
        """Where a machine to which it was sent has it."""
        return cache_folder() / "shipped" / f"{self.sha256}{Path(self.path).suffix}"

    def here(self) -> Path | None:
        """Where this machine has it; None if it has not."""
        if self.shipped.exists():
            return self.shipped
        try:
            same = os.path.getsize(self.path) == self.size and hash_of(self.path) == self.sha256
        except OSError:
            return None
        return Path(self.path) if same else None


def hash_of(path: str) -> str:
    """The hash of a file as it is now, computed once."""
    facts = os.stat(path)
    return _hash_of(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=1024)
def _hash_of(path: str, changed: int, size: int) -> str:
    return hashed(Path(path))


class FilesNotHere(Exception):
    """A job's files that this machine lacks."""

    def __init__(self, files: tuple[JobFile, ...]) -> None:
        super().__init__(files)
        self.files = files


class _Packer(pickle.Pickler):
    """Writes paths of files as what is in them."""

    def persistent_id(self, given: Any) -> Any:
        """What stands for a path; None for all else."""
        if not isinstance(given, str | Path):
            return None
        path = str(given)
        if len(path) > 4096 or not path.startswith("/") or "\0" in path:
            return None
        plain = type(given) is str
        if path.endswith(COUNTER):
            return (None, b"", 0, plain)
        if not os.path.isfile(path):
            return None
        # as bytes, for this is packed in turn
        return (hash_of(path), path.encode(), os.path.getsize(path), plain)


class _Unpacker(pickle.Unpickler):
    """Reads them as paths on this machine."""

    def __init__(self, content: bytes, counter: str) -> None:
        super().__init__(io.BytesIO(content))
        self.lacking: dict[str, JobFile] = {}
        self._counter = counter

    def persistent_load(self, kept: Any) -> Any:
        """The path on this machine."""
        sha256, named, size, plain = kept
        path = self._counter
        if sha256 is not None:
            file = JobFile(sha256, named.decode(), size)
            found = file.here()
            if found is None:
                self.lacking[sha256] = file
            path = str(found or file.path)
        return path if plain else Path(path)


def packed(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    """A job as bytes, with its files by their hashes."""
    content = io.BytesIO()
    _Packer(content, pickle.HIGHEST_PROTOCOL).dump((function, arguments))
    return content.getvalue()


def run_packed(content: bytes, counter: str, path: list[str]) -> bytes:
    """Do a packed job, with these folders on the path of modules too; its epochs are counted in the
    file `counter`. Gives its pickled result. Raises FilesNotHere, and what the job raises."""
    import sys

    sys.path += [folder for folder in path if folder not in sys.path]
    unpacker = _Unpacker(content, counter)
    function, arguments = unpacker.load()
    if unpacker.lacking:
        raise FilesNotHere(tuple(unpacker.lacking.values()))
    return pickle.dumps(function(*arguments))


def counter_of(job: int) -> str:
    """A file of this machine's own in which a job counts its epochs."""
    return os.path.join(tempfile.gettempdir(), f"nas-kd-{os.getpid()}-{job}{COUNTER}")


def put(file: JobFile, first: int, piece: bytes, name: str) -> None:
    """Write a piece of a file that is sent here. `name` tells this sending from others."""
    part = file.shipped.with_name(f".{file.sha256[:16]}.{name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("r+b" if first else "wb") as target:
        target.seek(first)
        target.write(piece)


def finish(file: JobFile, name: str) -> bool:
    """Take a file that was sent as a whole; False, and it is removed, if it is not what it was."""
    part = file.shipped.with_name(f".{file.sha256[:16]}.{name}.part")
    if not file.size:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    if hashed(part) != file.sha256:
        part.unlink()
        return False
    os.replace(part, file.shipped)
    return True
