"""A search, or the export of its best student, that is killed with SIGKILL at one moment.

    python studies/faults/victim.py FOLDER SETTINGS [PHASE COUNT VICTIM]

SETTINGS is the spec and where it runs, as JSON. VICTIM is the driver, its workers, or both. Without
a phase nothing is killed.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas_kd.driver import drive as driving
from nas_kd.driver import generation
from nas_kd.driver.events import Ended, Event, Started
from nas_kd.driver.options import RunOptions
from nas_kd.package import write
from nas_kd.spec import StudySpec
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import read_study
from nas_kd.workers.dask_executor import DaskExecutor
from nas_kd.workers.pool import ProcessPool

POOLS: list[ProcessPool | DaskExecutor] = []

CALLS: dict[str, tuple[Any, str]] = {
    "propose": (Ledger, "propose"),
    "rung": (generation, "keep_result"),
    "tell": (Ledger, "tell"),
    "export": (write, "write_text"),
}
"""Phases in which a function is called again and again: the kill follows one of the calls."""

TIMED = ("teacher", "signals")
"""Phases that are one job: the kill comes so many hundredths of a second after its beginning."""


def kill(victim: str) -> None:
    """End the workers, this driver, or both; a file beside the study says that it was done."""
    Path(f"{os.environ['NAS_KD_FAULTS']}.struck").touch()
    if victim in ("workers", "both"):
        for pool in POOLS:
            for worker in pids(pool):
                os.kill(worker, signal.SIGKILL)
    if victim in ("driver", "both"):
        os.kill(os.getpid(), signal.SIGKILL)


def pids(pool: ProcessPool | DaskExecutor) -> tuple[int, ...]:
    """The processes of the workers, which are on this machine."""
    if isinstance(pool, ProcessPool):
        return tuple(pool._pids)
    return tuple(pool._client.run(os.getpid).values())


def after(owner: Any, name: str, count: int, victim: str) -> None:
    """Kill when the named function has returned for the `count`-th time."""
    original: Callable[..., Any] = getattr(owner, name)
    calls: list[None] = []

    def counted(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        calls.append(None)
        if len(calls) == count:
            kill(victim)
        return result

    setattr(owner, name, counted)


def remember_pools() -> None:
    """Know the pools that are made, whose workers may be killed."""
    for kind in (ProcessPool, DaskExecutor):
        start = kind.__init__

        def remembered(self: Any, *arguments: Any, start: Any = start, **named: Any) -> None:
            start(self, *arguments, **named)
            POOLS.append(self)

        kind.__init__ = remembered  # type: ignore[method-assign]


def main(folder: str, settings: str, phase: str = "", count: str = "0", victim: str = "") -> None:
    """Search, or where the phase is `export` write the package of the best student."""
    remember_pools()
    if phase in CALLS:
        after(*CALLS[phase], int(count), victim)
    place = Path(folder)
    if phase == "export":
        write.export(read_study(StudyFolder(place)), "best", place / "best")
        return

    over = threading.Event()

    def in_time() -> None:
        if not over.is_set():
            kill(victim)

    def observe(event: Event) -> None:
        if phase in TIMED and isinstance(event, Ended) and event.job == phase:
            over.set()
        if phase in TIMED and isinstance(event, Started) and event.job == phase:
            threading.Timer(int(count) / 100, in_time).start()

    asked = json.loads(settings)
    where = {name: asked.pop(name, None) for name in ("storage", "cluster")}
    options = RunOptions(place, asked.pop("workers", 2), **where)
    driving.drive(StudySpec.create(asked), options, observe)


if __name__ == "__main__":
    main(*sys.argv[1:])
