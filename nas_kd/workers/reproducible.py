"""What decides the bits of a job's result, set inside the job and put back after it.

So a job gives the same in this process, in a pool and on another machine of the same kind, and
leaves the threads, the arithmetic and the random state of whoever called it as they were. All of
them belong to the whole process: nothing else may compute there while a job runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch


def computes_as(device: str) -> str:
    """What decides the last bits of a job beside its arguments: torch's version, and the kind of
    device; of GPUs and of processors without a name, no more is known here."""
    facts = Path("/proc/cpuinfo")
    named = ""
    if facts.exists():
        named = facts.read_text().partition("model name")[2].partition("\n")[0].strip("\t :")
    kind = torch.backends.cpu.get_cpu_capability()
    return f"torch {torch.__version__} on {device}, {kind} {named}".strip()


@contextmanager
def reproducible() -> Iterator[None]:
    """One torch thread, float32 without shortcuts, gradients, and a random state of its own.

    Denormal numbers, which are slow, are flushed to zero. In TF32 the answers of a GPU prove
    nothing on a processor.
    """
    threads, flushing = torch.get_num_threads(), flushes_denormals()
    precision, dtype = torch.get_float32_matmul_precision(), torch.get_default_dtype()
    rounded, device = torch.backends.cudnn.allow_tf32, torch.get_default_device()
    begun = torch.cuda.is_initialized()
    try:
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
        torch.set_float32_matmul_precision("highest")
        torch.set_default_dtype(torch.float32)
        torch.backends.cudnn.allow_tf32 = False
        if device.type != "cpu":
            torch.set_default_device(None)
        gpus = range(torch.cuda.device_count() if begun else 0)
        with torch.random.fork_rng(gpus), torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(flushing)
        torch.set_float32_matmul_precision(precision)
        torch.set_default_dtype(dtype)
        torch.backends.cudnn.allow_tf32 = rounded
        if device.type != "cpu":
            torch.set_default_device(device)
        if not begun:  # the seed that a GPU would begin with
            torch.cuda.manual_seed_all(torch.initial_seed())


def flushes_denormals() -> bool:
    """Whether this thread flushes denormal numbers to zero; torch can set that, but not tell."""
    tiny = torch.full((1,), 1e-310, dtype=torch.float64, device="cpu")
    return bool((tiny * 1.0 == 0).item())
