"""Writing files whole or not at all: a temporary file beside the target, then a rename."""

import contextlib
import errno
import hashlib
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from nas_kd.errors import Unusable, Unwritable


def cache_folder() -> Path:
    """Where prepared data and measurements lie: $NAS_KD_CACHE, or the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    given = Path(os.environ.get("NAS_KD_CACHE") or Path(base, "nas-kd"))
    try:
        return given.expanduser()
    except RuntimeError as error:
        raise Unwritable(
            str(given), f"cannot be used ({error})", "Say another NAS_KD_CACHE."
        ) from error


def expect_utf8(path: Path) -> Path:
    """The path. Raises Unusable for one whose name is no text: nothing could be written of it."""
    if any("\udc80" <= letter <= "\udcff" for letter in str(path)):
        given = str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        right = "Rename that folder or file, such as those of an old zip archive: mv OLD NEW."
        raise Unusable(given, "has a name that is not UTF-8", right)
    return path


MOUNTS = Path("/proc/self/mounts")
NETWORKED = re.compile(r"nfs\d*|cifs|smb\w*|lustre|gpfs|beegfs|ceph|glusterfs|afs|9p|fuse\.\w+")


def network_file_system(path: Path, mounts: Path = MOUNTS) -> str | None:
    """The kind of the network file system that a folder lies on; None where it is none, and where
    that cannot be told."""
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return None
    kinds = {re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place): kind
             for _, place, kind, *_ in lines}  # fmt: skip
    here = next(str(one) for one in (path, *path.parents) if str(one) in kinds or one == one.parent)
    kind = kinds.get(here, "")
    return kind if NETWORKED.fullmatch(kind) else None


TEMPORARY = re.compile(r"\..+\.\d+-\d+")
"""The names of files that are being written."""

FULL = {errno.ENOSPC, errno.EDQUOT}
"""No space, or none that one may use."""

ROOM = "Make room, then run the same again."

MENDABLE = {*FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENAMETOOLONG,
            errno.EEXIST, errno.EISDIR}  # fmt: skip
"""What a user can mend: no space, a read-only place, no right to write, no such place."""


def replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a temporary file, then put it at `path`; a crash leaves the old file.

    Raises Unwritable where there is no space or no right to write.
    """
    if not path.name or (path.exists() and not path.is_file()):
        raise Unwritable(str(path), "is no file", "Name a file for it.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in MENDABLE:
            raise unwritable(path, error) from error
        raise


def unwritable(path: Path, error: OSError, right: str = "Name another place for it.") -> Unwritable:
    """What is said of a file that cannot be written."""
    right = ROOM if error.errno in FULL else right
    return Unwritable(str(path), f"cannot be written ({error.strerror})", right)


def write_bytes(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all."""
    replace(path, lambda file: file.write(content))


def write_text(path: Path, content: str) -> None:
    """Put `content` at `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def hashed(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
