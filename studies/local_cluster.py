"""A Dask cluster of a study's own on this machine."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def cluster(place: Path, workers: int) -> Iterator[str]:
    """A scheduler and workers with a cache each; its address. A worker that is killed is followed
    by another one."""
    place.mkdir(parents=True, exist_ok=True)
    said = place / "scheduler.json"
    said.unlink(missing_ok=True)
    both = ["--scheduler-file", str(said), "--no-dashboard"]
    dask = Path(sys.executable).with_name("dask")
    with (place / "log").open("wb") as log:

        def start(number: int, *command: str) -> "subprocess.Popen[bytes]":
            mine = os.environ | {
                "NAS_KD_CACHE": str(place / f"cache-{number}"), "PYTHONPATH": str(ROOT),
            }  # fmt: skip
            return subprocess.Popen([dask, *command, *both], env=mine, stdout=log, stderr=log)

        started = [start(0, "scheduler", "--port", "0")]
        started += [start(n, "worker", "--nthreads", "1") for n in range(1, workers + 1)]
        try:
            while not (said.exists() and said.stat().st_size):
                time.sleep(0.1)
            yield json.loads(said.read_text())["address"]
        finally:
            for process in reversed(started):
                process.terminate()
            for process in started:
                process.wait()
