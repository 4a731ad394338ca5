"""What runs inside a Dask worker: one process of our own pool, to which jobs are handed.

So a job there has one thread, flushed denormals and a limit as it has here, and what ends it leaves
the Dask worker alive.
"""

import os
import platform
import socket
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from nas_kd.files import cache_folder
from nas_kd.workers.job_files import counter_of, run_packed
from nas_kd.workers.pool import ProcessPool

TOPIC = "nas-kd"
"""The events of workers: how many epochs of a job are done."""

PACKAGES = ("nas-kd", "torch", "numpy", "optuna")

POOLS = "_nas_kd_pools"
"""Where a Dask worker keeps a pool for each driver."""


def versions() -> dict[str, str]:
    """The versions of what computes here."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def facts(driver: str, limit: float | None) -> dict[str, str]:
    """What two machines must have in common for the same job to give the same bits."""
    from distributed import get_worker

    found = pool_of(get_worker(), driver, limit).submit(computing).result()
    return versions() | {"computes as": found}


def computing() -> str:
    """How this process computes. It loads torch, so Dask's own process leaves it to the pool."""
    from nas_kd.workers.reproducible import computes_as

    return computes_as("cpu")


def place() -> tuple[str, str]:
    """Which files a worker sees: its host, and its cache."""
    return socket.gethostname(), str(cache_folder())


def pools_of(worker: Any) -> dict[str, ProcessPool]:
    """The pools of a worker, by their drivers."""
    pools: dict[str, ProcessPool] = worker.__dict__.setdefault(POOLS, {})
    return pools


def pool_of(worker: Any, driver: str, limit: float | None) -> ProcessPool:
    """The driver's pool of one process on this worker, whose jobs may take so many seconds. Where
    it is new, the pools of other drivers end that have no job now: those drivers may be gone."""
    pools = pools_of(worker)
    if driver not in pools:
        for other in [name for name, pool in pools.items() if not pool.busy]:
            end_pool(other, worker)
        pools[driver] = ProcessPool(1, limit)
    return pools[driver]


def end_pool(driver: str, dask_worker: Any) -> None:
    """End the pool of a driver, if it is here."""
    pool = pools_of(dask_worker).pop(driver, None)
    if pool is not None:
        pool.shutdown(wait=False, cancel_futures=True)


def work(content: bytes, driver: str, limit: float | None, job: int) -> bytes:
    """Have the pool do a packed job, telling the driver of its epochs. The pool ends if the driver
    has given the job up."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    counter, told = counter_of(job), 0
    future = pool_of(worker, driver, limit).submit(run_packed, content, counter, [*sys.path])
    while not future.done():
        time.sleep(0.1)
        epochs = os.path.getsize(counter) if os.path.exists(counter) else 0
        if epochs > told:
            worker.log_event(TOPIC, {"driver": driver, "job": job, "epochs": epochs})
            told = epochs
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            end_pool(driver, worker)
            return b""
    if os.path.exists(counter):
        os.unlink(counter)
    return future.result()
