"""The commands: parsing and printing only. torch is imported inside them, not before."""

import errno
import os
import sys
import tempfile
import traceback
from typing import NoReturn

import typer

from nas_kd.cli import searching as searching
from nas_kd.cli import studies as studies
from nas_kd.cli.app import app
from nas_kd.errors import NasKDError

__all__ = ["app", "main"]


def main() -> NoReturn:
    """Run a command. 0 done, 2 the user can mend it, 1 a bug, 130 and 143 interrupted."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    try:
        os.getcwd()
    except OSError:
        typer.echo("error: the working folder was removed. Go to one that is there: cd", err=True)
        raise SystemExit(2) from None
    try:
        app()
    except NasKDError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(2) from None
    except OSError as error:
        if error.errno not in UNHEARD:
            report_bug(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python flushes last
        typer.echo(f"error: output or a temporary file is not written ({error.strerror})", err=True)
        raise SystemExit(2) from None
    except Exception as error:
        report_bug(error)
    raise SystemExit(0)


UNHEARD = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
"""What ends printing, or a temporary file: a full disk."""


def report_bug(error: Exception) -> NoReturn:
    """Say what happened, keep the traceback, and end with 1."""
    with tempfile.NamedTemporaryFile("w", prefix="nas-kd-", suffix=".log", delete=False) as file:
        traceback.print_exc(file=file)
    typer.echo(f"bug: {type(error).__name__}: {error}\nThe traceback is in {file.name}", err=True)
    raise SystemExit(1) from None
