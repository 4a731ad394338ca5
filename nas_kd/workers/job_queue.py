"""Jobs and what follows from them: a small event loop over any executor."""

from collections.abc import Callable
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from functools import partial
from typing import Any

from nas_kd.errors import WorkerDied, WorkerOverdue, WorkFailed

TRIES = 3

Then = Callable[[Any], None]


class JobQueue:
    """Submits jobs and calls what follows each result, in the driver's thread.

    A job that the environment failed goes out again, three times in all; then WorkFailed is
    raised. An error of the job itself is raised at once.
    """

    def __init__(
        self, executor: Executor, workers: int = 1, say: Callable[[str], None] = lambda text: None
    ) -> None:
        """`say` is told of each job that goes out again, and why."""
        self._executor, self._workers, self._say = executor, workers, say
        self.checks: list[Callable[[], None]] = []
        """Called before each result is taken; each may raise, and then it is not taken."""
        self._open: dict[Future[Any], tuple[Callable[[], Future[Any]], Then, int]] = {}

    @property
    def workers(self) -> int:
        """How many do jobs at a time; of a cluster, those that are there now."""
        return int(getattr(self._executor, "workers", self._workers))

    @property
    def busy(self) -> bool:
        """Whether there are jobs whose results nobody has taken."""
        return bool(self._open)

    def submit(self, job: Callable[..., Any], *arguments: Any, then: Then) -> None:
        """Send a job out; `then` is called with its result by `run_until`."""
        self._send(partial(self._executor.submit, job, *arguments), then, 1)

    def check(self) -> None:
        """Call the checks, as before a result is taken."""
        for check in self.checks:
            check()

    def _send(self, start: Callable[[], Future[Any]], then: Then, tried: int) -> None:
        try:
            self._open[start()] = (start, then, tried)
        except RuntimeError as error:  # broken, or shut down
            raise broken(error) from error

    def run_until(
        self, enough: Callable[[], bool] = lambda: False, idle: Callable[[], None] | None = None
    ) -> None:
        """Wait until it is enough, or every job and every job that followed from one is done.

        `idle` is called whenever there are fewer jobs than workers; it may submit one.
        """
        while self._open and not enough():
            if idle and len(self._open) < self.workers:
                idle()
            done, _ = wait(self._open, return_when=FIRST_COMPLETED)
            for future in done:
                start, then, tried = self._open.pop(future)
                try:
                    result = future.result()
                except (WorkerDied, WorkerOverdue) as error:
                    if tried == TRIES:
                        raise WorkFailed(error.job, error.reason) from error
                    self._say(f"{error.job}: {error.reason}; try {tried + 1} of {TRIES}")
                    self._send(start, then, tried + 1)
                except (BrokenExecutor, CancelledError) as error:
                    raise broken(error) from error
                else:
                    self.check()
                    then(result)


def broken(error: BaseException) -> WorkFailed:
    """The error for an executor of the user's that does no more jobs."""
    return WorkFailed("a job", f"the executor broke ({str(error) or type(error).__name__})")
