"""The lease: who drives a study, renewed in its database, for drivers that share no file lock."""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import StorageInternalError

from nas_kd.errors import StudyLocked
from nas_kd.study.database import Ledger

RENEWED = 10.0
"""Seconds between renewals."""
EXPIRES = 60.0
"""Seconds after which a lease that was not renewed may be taken over."""


@contextmanager
def lease(ledger: Ledger, folder: str, holder: str) -> Iterator[None]:
    """Hold the lease while the block runs. Raises StudyLocked if another host holds it.

    A lease of this host is taken over at once: whoever wrote it no longer holds the file lock.
    """
    held = ledger.facts().get("driver")
    host = holder.split(" on ")[-1]
    if held and held["until"] > time.time() and held["holder"].split(" on ")[-1] != host:
        raise StudyLocked(folder, held["holder"])
    done = threading.Event()

    def take() -> None:
        ledger.note("driver", {"holder": holder, "until": time.time() + EXPIRES})

    def renew() -> None:
        while not done.wait(RENEWED):
            # a database that cannot be written is told by the driver's own next write
            with contextlib.suppress(StorageInternalError):
                take()

    take()
    renewer = threading.Thread(target=renew, name="lease", daemon=True)
    renewer.start()
    try:
        yield
    finally:
        done.set()
        renewer.join()
        with contextlib.suppress(StorageInternalError):
            ledger.note("driver", {"holder": holder, "until": 0})
