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
def cluster(place: Path, workers: int, hidden: Path | None = None) -> Iterator[str]:
    """A scheduler and workers with a cache each; its address. A worker that is killed is followed
    by another one. Workers do not see what is in the hidden folder, as on another machine: that
    wants root, and Linux."""
    place.mkdir(parents=True, exist_ok=True)
    said = place / "scheduler.json"
    said.unlink(missing_ok=True)
    both = ["--scheduler-file", str(said), "--no-dashboard"]
    dask = str(Path(sys.executable).with_name("dask"))
    hide = f'mount -t tmpfs none {hidden} && exec "$@"'
    blind = ["unshare", "-m", "sh", "-c", hide, "sh"] if hidden else []
    with (place / "log").open("wb") as log:

        def start(number: int, *command: str) -> "subprocess.Popen[bytes]":
            mine = os.environ | {
                "NAS_KD_CACHE": str(place / f"cache-{number}"), "PYTHONPATH": str(ROOT),
            }  # fmt: skip
            return subprocess.Popen([*command, *both], env=mine, stdout=log, stderr=log)

        started = [start(0, dask, "scheduler", "--port", "0")]
        for number in range(1, workers + 1):
            started.append(start(number, *blind, dask, "worker", "--nthreads", "1"))
        try:
            while not (said.exists() and said.stat().st_size):
                time.sleep(0.1)
            yield json.loads(said.read_text())["address"]
        finally:
            for process in reversed(started):
                process.terminate()
            for process in started:
                process.wait()
