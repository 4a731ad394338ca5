"""The commands: parsing and printing only. torch is imported inside them, not before."""

import errno
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NoReturn

import typer

from nas_kd.cli import searching as searching
from nas_kd.cli import studies as studies
from nas_kd.cli.app import app
from nas_kd.errors import NasKDError
from nas_kd.files import MENDABLE

__all__ = ["app", "main"]


def main() -> NoReturn:
    """Run a command. 0 done, 2 the user can mend it, 1 a bug, 130 and 143 interrupted."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
    try:
        os.getcwd()
    except OSError:
        fail("the working folder was removed. Go to one that is there: cd")
    try:
        app()
    except NasKDError as error:
        fail(str(error))
    except OSError as error:
        if error.filename is not None and error.errno in MENDABLE:
            fail(f"{shortened(str(error.filename))}: cannot be used ({error.strerror})")
        if error.errno not in UNHEARD:
            report_bug(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python flushes last
        fail(f"output or a temporary file is not written ({error.strerror})")
    except Exception as error:
        report_bug(error)
    raise SystemExit(0)


UNHEARD = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
"""What ends printing, or a temporary file: a full disk."""


def fail(text: str) -> NoReturn:
    """Say what is wrong, and end with 2. What would steer a terminal is written out."""
    plain = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
    typer.echo(f"error: {plain}", err=True)
    raise SystemExit(2) from None


def shortened(text: str) -> str:
    """The beginning of a text that is too long to be read."""
    return text if len(text) <= LETTERS else f"{text[:LETTERS]}..."


LETTERS = 200
"""Of a name, as many are printed."""


def report_bug(error: Exception) -> NoReturn:
    """Say what happened, keep the traceback, and end with 1."""
    with tempfile.NamedTemporaryFile("w", prefix="nas-kd-", suffix=".log", delete=False) as file:
        traceback.print_exc(file=file)
    typer.echo(f"bug: {type(error).__name__}: {error}\nThe traceback is in {file.name}", err=True)
    raise SystemExit(1) from None
