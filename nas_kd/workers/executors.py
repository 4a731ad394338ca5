"""Which executor does a search's jobs."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Any

from nas_kd.errors import Unusable
from nas_kd.workers.devices import default_workers
from nas_kd.workers.in_process import InProcess
from nas_kd.workers.pool import P, ProcessPool, T


def open_executor(
    workers: int,
    limit: float | None = None,
    devices: Sequence[str] = ("cpu",),
    cluster: str | None = None,
    say: Callable[[str], None] = lambda text: None,
    lost: Callable[[str], None] = lambda text: None,
) -> Executor:
    """A pool of so many processes; 0 does every job in this process, on the first device. With the
    address of a Dask scheduler, the workers of its cluster; `say` is told who comes and goes,
    `lost` when the scheduler went away. Raises Unusable."""
    if cluster is not None:
        from nas_kd.workers.dask_executor import DaskExecutor

        return DaskExecutor(cluster, limit, say, lost)
    return ProcessPool(workers, limit, devices) if workers else InProcess(devices[0])


def worker_count(given: int | None, devices: Sequence[str], elsewhere: bool) -> int:
    """How many processes of this machine work, if it is not said: one a device. Where the work is
    done elsewhere, 1 stands for them. Raises Unusable for a number or for GPUs there."""
    if not elsewhere:
        return default_workers(tuple(devices)) if given is None else given
    if given is not None:
        wrong = "is for processes of this machine, and --executor names a cluster"
        raise Unusable(f"--workers {given}", wrong, "Leave one of them out.")
    if tuple(devices) != ("cpu",):
        wrong = "is not what a cluster's workers compute on: they use processors"
        raise Unusable(f"--device {','.join(devices)}", wrong, "Say --device cpu.")
    return 1


class Borrowed(Executor):
    """An executor of the user's, which stays open when a search ends."""

    def __init__(self, lent: Executor) -> None:
        """Raises Unusable for threads: jobs own the random state of their process."""
        if isinstance(lent, ThreadPoolExecutor):
            wrong = "has threads of one process, and a job needs a process of its own"
            raise Unusable("executor", wrong, "Give a ProcessPoolExecutor, or say workers=N.")
        self._lent = lent
        self._submitted: list[Future[Any]] = []

    @property
    def workers(self) -> int:
        """How many jobs it does at a time, where it says so; else 1."""
        return int(getattr(self._lent, "_max_workers", 1))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have it call `fn`."""
        future = self._lent.submit(fn, *args, **kwargs)
        self._submitted = [one for one in self._submitted if not one.done()] + [future]
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave it open; of our jobs, those that wait are cancelled, and those that run end."""
        for future in self._submitted if cancel_futures else ():
            future.cancel()
        if wait:
            wait_for(self._submitted)
