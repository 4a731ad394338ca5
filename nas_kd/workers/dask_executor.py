"""Workers on other machines, by Dask: each has one job at a time, in a process of our own pool.

Dask carries jobs and files and knows who is there; who does what is decided here. Its own queues
would give each worker two jobs, do finished ones again when a worker dies, and wait for ever for a
worker that is gone.
"""

import contextlib
import logging
import pickle
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_kd.errors import Unusable, WorkerDied, WorkFailed
from nas_kd.workers.dask_worker import TOPIC, computing, end_pool, facts, place, versions, work
from nas_kd.workers.job_files import COUNTER, FilesNotHere, JobFile, finish, packed, put
from nas_kd.workers.pool import P, T

if TYPE_CHECKING:
    from distributed import Client

SCHEMES = {"dask": "tcp", "tcp": "tcp", "tls": "tls"}
READABLE = "Say the address of a Dask scheduler: tcp://HOST:8786."

PIECE = 2**25
"""Bytes of a file that travel at once."""

WORTH_SAYING = 10**6
"""Bytes of a file whose sending is said."""

PATIENCE = 600.0
"""Seconds for which a scheduler that went away is waited for."""


TRIES = 3
"""A worker that cannot be looked at is not used after so many tries."""


class SchedulerLost(Exception):
    """The line to the scheduler was cut; its workers are not ours any more."""


class WorkerGone(Exception):
    """A Dask worker is not there any more."""


class Job:
    """A job, and who waits for it."""

    def __init__(self, number: int, function: Callable[..., Any], arguments: tuple[Any, ...]):
        self.number = number
        self.name = getattr(function, "__name__", "job")
        self.content = packed(function, arguments)
        self.future: Future[Any] = Future()
        counters = (one for one in arguments if isinstance(one, Path) and one.suffix == COUNTER)
        self.counter = next(counters, None)

    def count(self, epochs: int) -> None:
        """Write down how many epochs are done. Display only; write errors are ignored."""
        if self.counter is not None and not self.future.done():
            with contextlib.suppress(OSError):
                self.counter.write_bytes(b"." * epochs)


class DaskExecutor(Executor):
    """Every worker of a Dask cluster that computes as this machine does, also those that come
    later; jobs wait while there is none."""

    def __init__(
        self,
        address: str,
        limit: float | None = None,
        say: Callable[[str], None] = lambda text: None,
        lost: Callable[[str], None] = lambda text: None,
    ) -> None:
        """A job may take `limit` seconds; `say` is told of workers that come, go or are refused,
        and of files that are sent, `lost` when the scheduler went away. Raises Unusable for a
        scheduler that cannot be reached, and where every worker that is there is refused."""
        self.say, self.lost = say, lost
        self._name = secrets.token_hex(8)  # several drivers may share the workers
        self.address, self._limit = scheduler_address(address), limit
        self._mine = versions() | {"computes as": computing()}
        self._client = connected(self.address)
        self._scheduler: str | None = None
        self._jobs: deque[Job] = deque()
        self._running: dict[int, Job] = {}
        self._numbers = 0
        self._changed = threading.Condition()
        self._closed = self._cancelled = False
        self._present: set[str] = set()
        self._serving: dict[str, threading.Thread] = {}
        self._refused: dict[str, str] = {}
        self._failed: Counter[str] = Counter()
        self._welcome: set[str] = set()
        self._sending: dict[tuple[Any, str], threading.Lock] = {}
        self._client.subscribe_topic(TOPIC, self._told)
        self._watcher = threading.Thread(target=self._watch, name="cluster", daemon=True)
        self._watcher.start()
        self._expect_welcome()

    @property
    def workers(self) -> int:
        """How many workers do jobs now; 1 where there is none yet."""
        return max(1, len(self._welcome))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a worker call `fn(*args)`; everything must pickle, and `fn` be importable there."""
        if self._closed:
            raise RuntimeError("the cluster is shut down")
        assert not kwargs, "jobs take positional arguments"
        with self._changed:
            self._numbers += 1
            job = Job(self._numbers, fn, args)
            self._jobs.append(job)
            self._changed.notify_all()
        return job.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish the jobs, or cancel those that wait and end those that run; then let go of the
        workers, which stay."""
        with self._changed:
            self._closed, self._cancelled = True, cancel_futures
            while cancel_futures and self._jobs:
                self._jobs.popleft().future.cancel()
            self._changed.notify_all()
        if wait:
            for thread in [*self._serving.values(), self._watcher]:
                thread.join()
        if self._client.status == "running":
            with contextlib.suppress(Exception):  # a worker that dies now needs no end
                self._client.run(
                    end_pool, self._name, workers=sorted(self._welcome), on_error="ignore"
                )
        closed(self._client)

    def _expect_welcome(self) -> None:
        """Wait for a moment for workers. Raises Unusable where all that are there are refused."""
        until, none = time.monotonic() + 30, False
        while time.monotonic() < until:
            with self._changed:
                if self._welcome or (not self._present and time.monotonic() > until - 25):
                    return
                none = bool(self._refused) and self._refused.keys() == self._present
            if none:
                break
            time.sleep(0.1)
        if none:
            self.shutdown(cancel_futures=True)
            which = "; ".join(f"{who}: {why}" for who, why in sorted(self._refused.items()))
            right = "Install the same versions on machines with the same kind of processor."
            raise Unusable(
                f"executor {self.address}", f"has no worker like this machine ({which})", right
            )

    def _watch(self) -> None:
        """Know who is there, and serve whoever comes; come back to a scheduler that went away."""
        lost: float | None = None
        alone = False
        while not self._closed or (self._jobs and not self._cancelled):
            try:
                if lost is not None:
                    self._come_back()
                found = self._client.scheduler_info(n_workers=-1)
                if self._client.status != "running":
                    raise SchedulerLost
                if self._scheduler not in (None, found["id"]):
                    raise SchedulerLost  # another one answers at this address
                self._scheduler = found["id"]
            except Exception as error:
                if lost is None:
                    lost = time.monotonic()
                    self.lost(
                        f"the scheduler {self.address} went away, and is waited for, "
                        f"up to {PATIENCE / 60:.0f} minutes"
                    )
                    self._leave(set())
                if time.monotonic() - lost > PATIENCE:
                    self._give_up(error)
                    return
                time.sleep(1)
                continue
            if lost is not None:
                self.say(f"the scheduler {self.address} is back")
                lost = None
            self._leave(set(found["workers"]))
            alone = alone and not self._present
            if self._jobs and not self._present and not alone:
                alone = True
                self.say(f"has no worker yet: dask worker {self.address} --nthreads 1")
            for worker in sorted(self._present - self._serving.keys()):
                self._serving[worker] = threading.Thread(
                    target=self._serve, args=(worker, self._client), name=worker, daemon=True
                )
                self._serving[worker].start()
            with self._changed:
                self._changed.wait(timeout=1 if self._present else 0.2)

    def _come_back(self) -> None:
        closed(self._client)
        self._client, self._scheduler = connected(self.address, 5), None
        self._client.subscribe_topic(TOPIC, self._told)

    def _leave(self, present: set[str]) -> None:
        """Take who is there now, and forget who went."""
        with self._changed:
            for worker in self._present - present:
                self._serving.pop(worker, None)
                self._refused.pop(worker, None)
                self._failed.pop(worker, None)
                if worker in self._welcome:
                    self.say(f"worker {worker} went away")
                self._welcome.discard(worker)
            self._present = present
            self._changed.notify_all()

    def _give_up(self, error: Exception) -> None:
        reason = f"the scheduler {self.address} was away for {PATIENCE / 60:.0f} minutes ({error})"
        with self._changed:
            self._closed = self._cancelled = True
            for job in [*self._jobs, *self._running.values()]:
                if not job.future.done():
                    job.future.set_exception(WorkFailed(job.name, reason))
            self._jobs.clear()
            self._changed.notify_all()

    def _serve(self, worker: str, client: "Client") -> None:
        """Give a worker one job after the other, if it computes as this machine does."""
        try:
            if not self._vetted(worker, client):
                return
            where = client.run(place, workers=[worker])[worker]
        except (SchedulerLost, WorkerGone):
            self._let_go(worker)
            return
        except Exception as error:  # it went away, or has no nas-kd
            self._failed[worker] += 1
            if client.status != "running" or self._failed[worker] < TRIES:
                self._let_go(worker)
                return
            self._refuse(worker, str(error).strip().splitlines()[0] if str(error) else repr(error))
            return
        with self._changed:
            self._welcome.add(worker)
        self.say(f"worker {worker} joined")
        while (job := self._next(worker, client)) is not None:
            try:
                result = pickle.loads(self._done(client, worker, where, job))
            except SchedulerLost:
                with self._changed:
                    del self._running[job.number]
                    self._jobs.appendleft(job)
                self._let_go(worker)
                return
            except WorkerGone:
                self._end(job, WorkerDied(job.name, f"its worker {worker} went away"))
                if worker not in self._present:
                    return
            except CancelledError:
                self._running.pop(job.number, None)
                job.future.cancel()
            except Exception as error:
                self._end(job, error)
            else:
                self._end(job, None, result)

    def _let_go(self, worker: str) -> None:
        """Serve a worker anew, where it is still there: its line was cut for a moment."""
        with self._changed:
            if self._serving.get(worker) is threading.current_thread():
                del self._serving[worker]

    def _end(self, job: Job, error: BaseException | None, result: Any = None) -> None:
        self._running.pop(job.number, None)
        if job.future.done():
            return
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)

    def _vetted(self, worker: str, client: "Client") -> bool:
        theirs = self._result(client, worker, facts, self._name, self._limit)
        other = [f"{name} {theirs.get(name)}, here {mine}" for name, mine in self._mine.items()
                 if theirs.get(name) != mine]  # fmt: skip
        if other:
            self._refuse(worker, ", ".join(other))
        return not other

    def _refuse(self, worker: str, why: str) -> None:
        with self._changed:
            if worker not in self._present or self._client.status != "running":
                return  # it went away meanwhile
            self._refused[worker] = why
        self.say(f"worker {worker} is not used: {why}")

    def _next(self, worker: str, client: "Client") -> Job | None:
        """The job that is next; None once the worker is gone, or nothing will come."""
        with self._changed:
            while worker in self._present and client is self._client:
                if not self._jobs:
                    if self._closed:
                        return None
                    self._changed.wait(timeout=1)
                    continue
                job = self._jobs.popleft()
                # one that was sent to a scheduler which went away is running already
                if job.future.running() or job.future.set_running_or_notify_cancel():
                    self._running[job.number] = job
                    return job
        return None

    def _done(self, client: "Client", worker: str, where: Any, job: Job) -> bytes:
        """The pickled result of a job; what the worker lacks is sent to it first."""
        for _ in range(3):
            try:
                mine = (job.content, self._name, self._limit, job.number)
                done: bytes = self._result(client, worker, work, *mine)
                return done
            except FilesNotHere as lacking:
                for file in lacking.files:
                    self._send(client, worker, where, file)
        wrong = "does not keep the files that are sent to it"
        raise Unusable(f"worker {worker}", wrong, f"Look at its cache: {where[1]} on {where[0]}.")

    def _result(self, client: "Client", worker: str, function: Any, *arguments: Any) -> Any:
        """What a task gives, on this worker. Raises SchedulerLost, WorkerGone, CancelledError."""
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        if client.status != "running":
            raise SchedulerLost
        task = client.submit(
            function, *arguments, workers=[worker], allow_other_workers=False, pure=False, retries=0
        )
        try:
            while True:
                try:
                    return task.result(timeout=1)
                except (FutureCancelledError, KilledWorker) as error:
                    cut = getattr(error, "reason", "") == "scheduler-connection-lost"
                    cut = cut or client.status != "running"
                    raise (SchedulerLost if cut else WorkerGone) from None
                except TimeoutError:
                    if task.done():  # it ended just now, and its own error is raised next
                        return task.result(timeout=60)
                if self._cancelled:
                    task.cancel(force=True)
                    raise CancelledError
                if client.status != "running" or client is not self._client:
                    raise SchedulerLost
                if worker not in self._present:
                    task.cancel(force=True)
                    raise WorkerGone
        finally:
            task.release()

    def _send(self, client: "Client", worker: str, where: Any, file: JobFile) -> None:
        """Send a file to where a worker looks for it, in pieces; workers that share a cache get it
        once."""
        with self._changed:
            lock = self._sending.setdefault((where, file.sha256), threading.Lock())
        with lock:
            if self._result(client, worker, JobFile.here, file) is not None:
                return
            name, first = secrets.token_hex(4), 0
            with open(file.path, "rb") as source:
                while piece := source.read(PIECE):
                    data = client.scatter(piece, workers=[worker], hash=False)
                    self._result(client, worker, put, file, first, data, name)
                    data.release()
                    first += len(piece)
            if not self._result(client, worker, finish, file, name):
                wrong = "was changed while it was sent to a worker"
                raise Unusable(file.path, wrong, "Run the same search again.")
            if first >= WORTH_SAYING:
                self.say(f"{Path(file.path).name}, {first / 1e6:,.0f} MB, was sent to {worker}")

    def _told(self, event: Any) -> None:
        """Hear from a worker how far a job is."""
        _, said = event
        job = self._running.get(said["job"])
        if job is not None and said["driver"] == self._name:
            job.count(said["epochs"])


def scheduler_address(given: str) -> str:
    """A scheduler's address as Dask takes it. Raises Unusable."""
    scheme, between, rest = given.partition("://")
    if not between or scheme not in SCHEMES or ":" not in rest:
        raise Unusable(f"executor {given!r}", "is no address of a scheduler", READABLE)
    try:
        import distributed as distributed
    except ImportError as error:
        right = "Install the extra: pip install 'nas-kd[dask]'"
        raise Unusable(f"executor {given}", "needs the package 'distributed'", right) from error
    return f"{SCHEMES[scheme]}://{rest}"


def connected(address: str, timeout: float = 10) -> "Client":
    """A line to the scheduler. Raises Unusable."""
    from distributed import Client, Security

    for name in ("distributed", "distributed.client", "distributed.core", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    security = Security() if address.startswith("tls") else None
    made: Future[Client] = Future()

    def connect() -> None:
        try:
            made.set_result(Client(
                address, timeout=timeout, set_as_default=False, security=security, name="nas-kd"
            ))  # fmt: skip
        except BaseException as error:
            made.set_exception(error)

    # Dask's own timeout does not end a line on which nothing is said
    threading.Thread(target=connect, name="connect", daemon=True).start()
    try:
        return made.result(timeout=2 * timeout)
    except Exception as error:  # whatever another program at that port answers
        right = (
            "Start it: dask scheduler; and workers: dask worker ADDRESS --nthreads 1. For tls:// "
            "say the certificates in Dask's configuration (docs/clusters.md)."
        )
        wrong = f"cannot be reached ({str(error).strip() or type(error).__name__})"
        raise Unusable(f"executor {address}", wrong, right) from error


def closed(client: "Client") -> None:
    """Cut the line, whatever state it is in."""
    with contextlib.suppress(Exception):
        client.close(timeout=5)
