"""Jobs and what follows from them: a small event loop over any executor."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
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

    def __init__(self, executor: Executor, workers: int = 1) -> None:
        self._executor, self.workers = executor, workers
        self.checks: list[Callable[[], None]] = []
        """Called before each result is taken; each may raise, and then it is not taken."""
        self._open: dict[Future[Any], tuple[Callable[[], Future[Any]], Then, int]] = {}

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
        self._open[start()] = (start, then, tried)

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
                    self._send(start, then, tried + 1)
                else:
                    self.check()
                    then(result)
