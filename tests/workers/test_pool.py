"""The process pool's five promises, with real processes and real kills."""

import os
import platform
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas_kd.errors import UnknownName, WorkerDied, WorkerOverdue, WorkFailed
from nas_kd.registry import Registry
from nas_kd.workers import pool as pool_module
from nas_kd.workers.executors import open_executor
from nas_kd.workers.in_process import InProcess
from nas_kd.workers.job_queue import JobQueue
from nas_kd.workers.pool import ProcessPool


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    pool = ProcessPool(2, limit=20)
    yield pool
    pool.shutdown(cancel_futures=True)


def test_site_packages_do_not_stand_before_the_standard_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    checkout = Path(pool_module.__file__).parents[2]
    assert pool_module.single_threaded()["PYTHONPATH"] == str(checkout)
    installed = Path(sysconfig.get_path("purelib"), "nas_kd", "workers", "pool.py")
    monkeypatch.setattr(pool_module, "__file__", str(installed))
    assert pool_module.single_threaded()["PYTHONPATH"] == ""


def die() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_loses_only_its_own_job(pool: ProcessPool) -> None:
    jobs = [pool.submit(pow, 2, n) for n in range(5)]
    dying = [pool.submit(die), pool.submit(os._exit, 3)]
    after = [pool.submit(pow, 3, n) for n in range(5)]
    assert [job.result() for job in jobs] == [1, 2, 4, 8, 16]
    assert [job.result() for job in after] == [1, 3, 9, 27, 81]
    assert all(isinstance(job.exception(), WorkerDied) for job in dying)


def test_an_overdue_worker_is_ended() -> None:
    pool = ProcessPool(1, limit=0.5)
    slow = pool.submit(time.sleep, 30)
    with pytest.raises(WorkerOverdue, match=r"0\.5 seconds"):
        slow.result()
    assert pool.submit(pow, 2, 3).result() == 8
    pool.shutdown()


@pytest.mark.parametrize("limit", [1e9, float("inf")])
def test_a_limit_that_no_clock_can_tell_is_none(limit: float) -> None:
    pool = ProcessPool(1, limit)
    assert pool.submit(pow, 2, 3).result(timeout=60) == 8
    pool.shutdown()


class Unreadable:
    """What a worker can send, and nobody can read."""

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return int, ("no number",)


def test_a_result_that_cannot_be_read_is_an_error_and_not_waited_for(pool: ProcessPool) -> None:
    with pytest.raises(ValueError, match="no number"):
        pool.submit(Unreadable).result(timeout=60)
    assert pool.submit(pow, 2, 3).result(timeout=60) == 8


def test_an_error_of_a_job_comes_back_with_its_traceback(pool: ProcessPool) -> None:
    registry: Registry[int] = Registry("fruit", apple=1)
    with pytest.raises(UnknownName, match="Did you mean 'apple'") as caught:
        pool.submit(registry.__missing__, "appel").result()
    assert "In a worker process" in caught.value.__notes__[0]


def test_workers_have_one_torch_thread(pool: ProcessPool) -> None:
    import torch

    assert pool.submit(torch.get_num_threads).result() == 1


def page_faults(turns: int) -> int:
    """How often the kernel has to find a page for so many tensors of 40 MB, one after the other."""
    import resource

    import torch

    torch.ones(10_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(turns):
        torch.ones(10_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def keeps_large_blocks() -> bool:
    """Whether this machine's allocator can be told to, and its pages are so small that it shows."""
    name, version = platform.libc_ver()
    huge = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    new = name == "glibc" and tuple(map(int, version.split(".")[:2])) >= (2, 35)
    return new and not (huge.exists() and "[always]" in huge.read_text())


@pytest.mark.skipif(not keeps_large_blocks(), reason="needs glibc 2.35 and no huge pages")
def test_a_worker_keeps_the_memory_that_a_step_freed_for_the_next_one(pool: ProcessPool) -> None:
    import resource

    assert pool.submit(page_faults, 8).result() < 3 * 40_000_000 / resource.getpagesize()


SCRIPT = """
print("main ran", flush=True)
from nas_kd.workers.pool import ProcessPool
pool = ProcessPool(2)
print([job.result() for job in [pool.submit(pow, 2, n) for n in range(4)]], flush=True)
pool.shutdown()
"""


def test_an_unguarded_script_is_not_run_again_by_its_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "main ran\n[1, 2, 4, 8]\n"


BUSY = """
import os, sys, time
from nas_kd.workers.pool import ProcessPool
pool = ProcessPool(2)
if sys.argv[1] == "busy":
    print(pool._server.pid, *[j.result() for j in [pool.submit(os.getpid) for _ in range(9)]])
    for _ in range(2):
        pool.submit(sum, range(10**11))
else:
    print(pool._server.pid)
sys.stdout.flush()
time.sleep(60)
"""


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("when", ["busy", "starting"])
def test_no_process_is_left_two_seconds_after_the_driver_was_killed(when: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY, when], stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        pids = {int(pid) for pid in driver.stdout.readline().split()}
        assert len(pids) >= (2 if when == "busy" else 1)
        assert all(alive(pid) for pid in pids)
        driver.kill()
    time.sleep(2)
    assert not [pid for pid in pids if alive(pid)]


def test_cancelling_ends_what_runs_and_drops_what_waits() -> None:
    pool = ProcessPool(1)
    pool.submit(pow, 1, 1).result()
    running, waiting = pool.submit(time.sleep, 60), pool.submit(pow, 2, 2)
    while not running.running():
        time.sleep(0.01)
    pool.shutdown(cancel_futures=True)
    assert waiting.cancelled()
    assert isinstance(running.exception(), WorkerDied)
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(pow, 2, 2)


def test_cancelling_ends_a_worker_that_was_just_starting() -> None:
    pool = ProcessPool(1)
    job = pool.submit(time.sleep, 60)
    began = time.monotonic()
    while not job.running():
        time.sleep(0.001)
    pool.shutdown(cancel_futures=True)
    assert isinstance(job.exception(), WorkerDied)
    assert time.monotonic() - began < 50


def leave() -> None:
    """What a user's code may do."""
    sys.exit(0)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_job_that_exits_is_an_error_and_does_not_end_who_asks_for_it(workers: int) -> None:
    executor = open_executor(workers)
    with pytest.raises(RuntimeError, match=r"it ended with SystemExit\(0\)"):
        executor.submit(leave).result()
    executor.shutdown()


def test_a_worker_that_ended_while_it_waited_does_not_hinder_cancelling() -> None:
    pool = ProcessPool(1)
    pid = pool.submit(os.getpid).result()
    os.kill(pid, signal.SIGKILL)
    while alive(pid):
        time.sleep(0.01)
    pool.shutdown(cancel_futures=True)


def test_zero_workers_work_in_this_process() -> None:
    executor = open_executor(0)
    assert isinstance(executor, InProcess)
    assert executor.submit(os.getpid).result() == os.getpid()
    with pytest.raises(ValueError, match="invalid literal"):
        executor.submit(int, "x").result()
    executor.shutdown()


def test_a_queue_sends_a_job_out_three_times_and_then_gives_up(pool: ProcessPool) -> None:
    jobs = JobQueue(pool)
    jobs.submit(os._exit, 3, then=lambda result: None)
    with pytest.raises(WorkFailed, match="tried several times"):
        jobs.run_until()
