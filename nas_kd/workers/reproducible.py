"""What decides the bits of a job's result, set inside the job and put back after it.

So a job gives the same in this process, in a pool and on another machine of the same kind, and
leaves the threads, the arithmetic and the random state of whoever called it as they were.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def reproducible() -> Iterator[None]:
    """One torch thread, denormal numbers flushed to zero, no TF32, and a random state of its own.

    Denormals are slow. In TF32 the answers of a GPU prove nothing on a processor.
    """
    threads, flushing = torch.get_num_threads(), flushes_denormals()
    rounded = torch.backends.cudnn.allow_tf32
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(flushing)
        torch.backends.cudnn.allow_tf32 = rounded


def flushes_denormals() -> bool:
    """Whether this thread flushes denormal numbers to zero; torch can set that, but not tell."""
    return bool((torch.tensor(1e-310, dtype=torch.float64) * 1.0 == 0).item())
