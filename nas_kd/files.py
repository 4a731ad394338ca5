"""Writing files whole or not at all: a temporary file beside the target, then a rename."""

import contextlib
import errno
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from nas_kd.errors import Unwritable


def cache_folder() -> Path:
    """Where prepared data and measurements lie: $NAS_KD_CACHE, or the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("NAS_KD_CACHE") or Path(base, "nas-kd")).expanduser()


TEMPORARY = re.compile(r"\..+\.\d+-\d+")
"""The names of files that are being written."""

MENDABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR}
"""What a user can mend: no space, a quota, a read-only place, no right to write."""


def replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a temporary file, then put it at `path`; a crash leaves the old file.

    Raises Unwritable where there is no space or no right to write.
    """
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
            reason = f"cannot be written ({error.strerror})"
            raise Unwritable(str(path), reason, "Make room, then run the same again.") from error
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all."""
    replace(path, lambda file: file.write(content))


def write_text(path: Path, content: str) -> None:
    """Put `content` at `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())
