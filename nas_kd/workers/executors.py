"""Which executor does a search's jobs."""

from collections.abc import Sequence
from concurrent.futures import Executor

from nas_kd.workers.in_process import InProcess
from nas_kd.workers.pool import ProcessPool


def open_executor(
    workers: int, limit: float | None = None, devices: Sequence[str] = ("cpu",)
) -> Executor:
    """A pool of so many processes; 0 does every job in this process, on the first device."""
    return ProcessPool(workers, limit, devices) if workers else InProcess(devices[0])
