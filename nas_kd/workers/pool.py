"""A pool of worker processes with the interface of `concurrent.futures.Executor`.

It loses only the job of a worker that dies, ends overdue workers, leaves no process behind when
the driver is killed, never imports the user's `__main__`, and starts a worker in hundredths of a
second once torch is loaded. Of the pools that exist, `concurrent.futures` breaks as a whole when
one worker dies, loky hung, and pebble runs the user's `__main__` and leaves busy workers behind a
killed driver (studies/overhead/executors.py is the trial).
"""

import contextlib
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from nas_kd.errors import WorkerDied, WorkerOverdue

P = ParamSpec("P")
T = TypeVar("T")
Job = tuple[Future[Any], str, bytes]

SERVER = "import sys; from nas_kd.workers.fork_server import serve; serve(int(sys.argv[1]))"


def single_threaded() -> dict[str, str]:
    """The environment of a process whose numerical libraries use one thread."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    package = str(Path(__file__).parents[2])
    installed = package in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    mine = None if installed else package  # which would stand before the standard library
    path = os.pathsep.join(filter(None, (mine, os.environ.get("PYTHONPATH"))))
    return os.environ | dict.fromkeys(names, "1") | {"PYTHONPATH": path}


class ProcessPool(Executor):
    """`workers` processes, each doing one job at a time, first come first served."""

    def __init__(
        self, workers: int, limit: float | None = None, devices: Sequence[str] = ("cpu",)
    ) -> None:
        """`limit` is the number of seconds after which a job's worker is ended; each worker sees
        one of the devices, in turn."""
        self._devices = devices
        self._limit = limit
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._pids: set[int] = set()
        self._closed = self._cancelled = False
        self._busy = 0
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-c", SERVER, str(theirs.fileno())]
        handle = theirs.fileno()
        self._server = subprocess.Popen(command, pass_fds=[handle], env=single_threaded())
        theirs.close()
        self._threads = [
            threading.Thread(target=self._run, args=(n,), name=f"worker {n}", daemon=True)
            for n in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> bool:
        """Whether a job is being done, or waits."""
        return self._busy > 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a worker call `fn(*args)`; everything must pickle, and `fn` be importable."""
        if self._closed:
            raise RuntimeError("the pool is shut down")
        assert not kwargs, "jobs take positional arguments"
        future: Future[T] = Future()
        with self._lock:
            self._busy += 1
        future.add_done_callback(self._done)
        self._jobs.put((future, getattr(fn, "__name__", "job"), pickle.dumps((fn, args))))
        return future

    def _done(self, future: Future[Any]) -> None:
        with self._lock:
            self._busy -= 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish the jobs, or cancel those that wait and end those that run; then end."""
        self._closed = True
        if cancel_futures:
            self._cancel()
        for _ in self._threads:
            self._jobs.put(None)
        if wait:
            for thread in self._threads:
                thread.join()
        self._control.close()
        self._server.wait()

    def _cancel(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job:
                job[0].cancel()
        with self._lock:
            self._cancelled = True
            for pid in self._pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _run(self, number: int) -> None:
        device = self._devices[number % len(self._devices)]
        worker: Worker | None = None
        while job := self._jobs.get():
            future, name, content = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                worker = worker or self._start(device)
                done, value = worker.call(content, self._limit)
            except TimeoutError:
                self._end(worker)
                worker = None
                reason = f"it took more than {self._limit:g} seconds"
                future.set_exception(WorkerOverdue(name, reason))
            except (EOFError, OSError):
                self._end(worker)
                worker = None
                future.set_exception(WorkerDied(name, "its worker process ended"))
            except Exception as error:  # what cannot be unpickled here, else nobody would answer
                self._end(worker)
                worker = None
                future.set_exception(error)
            else:
                future.set_result(value) if done else future.set_exception(value)
        self._end(worker)

    def _start(self, device: str) -> "Worker":
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"w"], [theirs.fileno()])
        worker = Worker(Connection(ours.detach()), device)
        with self._lock:
            self._pids.add(worker.pid)
            late = self._cancelled  # it was still starting when the others were ended
        if late:
            self._end(worker)
            raise EOFError
        return worker

    def _end(self, worker: "Worker | None") -> None:
        if worker is None:
            return
        with self._lock:
            self._pids.discard(worker.pid)
        worker.end()


LONGEST = 2_000_000
"""Seconds that the operating system can be asked to wait: 23 days. A longer limit is none."""


class Worker:
    """A worker process, seen from the driver."""

    def __init__(self, connection: Connection, device: str) -> None:
        self._connection = connection
        self.pid: int = connection.recv()
        connection.send((sys.path, device))

    def call(self, job: bytes, limit: float | None) -> tuple[bool, Any]:
        """Have a job done. Raises EOFError if the worker dies, TimeoutError past the limit."""
        self._connection.send_bytes(job)
        if not self._connection.poll(None if limit is None or limit > LONGEST else limit):
            raise TimeoutError
        result: tuple[bool, Any] = pickle.loads(self._connection.recv_bytes())
        return result

    def end(self) -> None:
        """End the process, in the middle of a job or not."""
        self._connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
