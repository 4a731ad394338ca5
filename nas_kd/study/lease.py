"""The lease: who drives a study, for drivers that share no file lock.

In SQLite it is a fact that is renewed; on a server, a lock of the server's own.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from optuna.exceptions import StorageInternalError

from nas_kd.errors import StudyLocked, UnusableStudy
from nas_kd.study.database import Ledger
from nas_kd.study.postgres import PATIENCE, AdvisoryLock

RENEWED = 10.0
"""Seconds between renewals."""
KEY = "driver"
"""The fact of a study that says who drives it."""
EXPIRES = 60.0
"""Seconds after which a lease that was not renewed may be taken over."""

HOUR = 3600.0
"""Seconds for which no driver holds a lease, however far the clocks of two hosts are apart."""


@contextmanager
def lease(ledger: Ledger, folder: str, holder: str) -> Iterator[Callable[[], None]]:
    """Hold the lease while the block runs; yields a check that raises StudyLocked once another
    driver has taken it. Raises StudyLocked if another holds it.

    On SQLite, a lease of this host is taken over at once: whoever wrote it no longer holds the file
    lock.
    """
    if ledger.database.server is not None:
        yield from advisory(ledger, folder, holder)
        return
    held = ledger.facts().get(KEY)
    host = holder.split(" on ")[-1]
    left = held["until"] - time.time() if held else 0
    if held and 0 < left < HOUR and held["holder"].split(" on ")[-1] != host:
        raise StudyLocked(folder, held["holder"])
    done, mine = threading.Event(), held

    def take(seconds: float) -> None:
        nonlocal mine
        new = {"holder": holder, "until": time.time() + seconds if seconds else 0}
        if not ledger.exchange(KEY, mine, new):
            done.set()
            raise StudyLocked(folder, ledger.facts()[KEY]["holder"])
        mine = new

    def expect_held() -> None:
        now = ledger.facts()[KEY]
        if now["holder"] != holder:
            raise StudyLocked(folder, now["holder"])

    def renew() -> None:
        while not done.wait(RENEWED):
            # a database that cannot be written is told by the driver's own next write
            with contextlib.suppress(StorageInternalError, StudyLocked, UnusableStudy):
                take(EXPIRES)

    take(EXPIRES)
    renewer = threading.Thread(target=renew, name="lease", daemon=True)
    renewer.start()
    try:
        yield expect_held
    finally:
        done.set()
        renewer.join()
        with contextlib.suppress(StorageInternalError, StudyLocked, UnusableStudy):
            take(0)


def advisory(ledger: Ledger, folder: str, holder: str) -> Iterator[Callable[[], None]]:
    """The lease of a study on a server."""
    database = ledger.database
    assert database.server is not None
    assert database.study is not None
    mine = AdvisoryLock(database.server, database.study)

    def holder_now() -> str:
        return str(ledger.facts().get(KEY, {}).get("holder", "another process"))

    def expect_held() -> None:
        began = time.monotonic()
        while not ledger.patiently(mine.held):
            # a server may take a while to notice that our last connection was cut
            if holder_now() != holder or time.monotonic() - began > PATIENCE:
                raise StudyLocked(folder, holder_now())
            time.sleep(0.5)
        if mine.taken > 1 and holder_now() != holder:  # another had it in between
            raise StudyLocked(folder, holder_now())

    if not ledger.patiently(mine.held):
        raise StudyLocked(folder, holder_now())
    try:
        ledger.note(KEY, {"holder": holder})
        yield expect_held
    finally:
        mine.release()
