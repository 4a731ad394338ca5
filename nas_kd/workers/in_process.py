"""An executor that does each job at once, in this process."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from nas_kd.workers.pool import P, T


class InProcess(Executor):
    """Does the work of a pool without processes, on one device."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn` and give a future that is done."""
        future: Future[T] = Future()
        try:
            with current(self.device):
                future.set_result(fn(*args, **kwargs))
        except SystemExit as error:  # of a user's code; it would end the search without a word
            future.set_exception(RuntimeError(f"it ended with {error!r}"))
        except Exception as error:
            future.set_exception(error)
        return future


def current(device: str) -> AbstractContextManager[Any]:
    """Make a GPU the one that a job means by `cuda`."""
    if not device.startswith("cuda:"):
        return nullcontext()
    import torch

    chosen: AbstractContextManager[Any] = torch.cuda.device(device)
    return chosen
