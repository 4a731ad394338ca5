"""An executor that runs each job in this process, as a worker would."""

from collections.abc import Callable
from concurrent.futures import Executor, Future

from nas_kd.workers.pool import P, T


class InProcess(Executor):
    """Runs each job at once, in this process, on one torch thread, as a worker would."""

    def __init__(self) -> None:
        import torch

        self._threads = torch.get_num_threads()
        self._rounded = torch.backends.cudnn.allow_tf32
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
        torch.backends.cudnn.allow_tf32 = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn` and give a future that is done."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Give back the threads."""
        import torch

        torch.set_num_threads(self._threads)
        torch.set_flush_denormal(False)
        torch.backends.cudnn.allow_tf32 = self._rounded
