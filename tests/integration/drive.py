"""Drives a study in a process of its own, and kills it with SIGKILL at one exact moment.

python drive.py FOLDER WORKERS [MOMENT COUNT VICTIM [SETTINGS AS JSON]]
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas_kd.driver import drive as driver
from nas_kd.driver import generation
from nas_kd.driver import teacher_stage as teaching
from nas_kd.driver.options import RunOptions
from nas_kd.study.database import Ledger
from nas_kd.workers import pool
from tests.conftest import tiny

SPEC = {"trials": 20, "generation": 14, "epochs": 3, "rungs": [1], "batch": 64, "eta": 14.0}


def kill(victim: str) -> None:
    """SIGKILL this driver, or one of its workers."""
    if victim == "driver":
        os.kill(os.getpid(), signal.SIGKILL)
    for worker in POOLS[0]._pids:
        os.kill(worker, signal.SIGKILL)
        return


POOLS: list[pool.ProcessPool] = []


def after(owner: Any, name: str, count: int, victim: str) -> None:
    """Kill when the named function has returned for the `count`-th time."""
    original: Callable[..., Any] = getattr(owner, name)
    calls = []

    def counted(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        calls.append(1)
        if len(calls) == count:
            kill(victim)
        return result

    setattr(owner, name, counted)


def remember_pools() -> None:
    """Keep every pool that is made, so that its workers can be killed."""
    start = pool.ProcessPool.__init__

    def remembered(self: pool.ProcessPool, *arguments: Any) -> None:
        start(self, *arguments)
        POOLS.append(self)

    pool.ProcessPool.__init__ = remembered  # type: ignore[method-assign]


def main(
    folder: str,
    workers: str,
    moment: str = "",
    count: str = "0",
    victim: str = "",
    settings: str = "{}",
) -> None:
    remember_pools()
    moments = {"result": (generation, "keep_result"), "proposal": (Ledger, "propose"),
               "tell": (Ledger, "tell"), "student": (generation, "keep_student"),
               "teacher": (teaching, "write_bytes")}  # fmt: skip
    if moment:
        after(*moments[moment], int(count), victim)
    options = RunOptions(Path(folder), int(workers), storage=os.environ.get("STORAGE_OF_TEST"))
    driver.drive(tiny(**(SPEC | json.loads(settings))), options, lambda event: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
