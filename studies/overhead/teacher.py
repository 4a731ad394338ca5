"""A step of the trained teacher: its precision, its shares, and the threads that take them.

    python studies/overhead/teacher.py

Milliseconds of a step (forwards, backwards, optimizer) on glyphs' 28x28, batch 128, fastest of 40.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nas_kd.teachers.network import wide
from nas_kd.training import AdamW
from nas_kd.training.data_parallel import replica
from nas_kd.workers.fork_server import keep_freed_memory

STEPS = 40
BATCH = 128


def gradient(precision: torch.dtype, network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """One forward and one backward pass."""
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        logits = network(images)
    cross_entropy(logits.float(), labels).backward()


def fastest(width: int, precision: torch.dtype, shares: int, threads: int) -> float:
    """Milliseconds of the fastest step."""
    network = wide((1, 28, 28), 30, width)
    optimizer = AdamW(network, torch.tensor([0.004]), torch.tensor([0.05]))
    copies = [network, *(replica(network) for _ in range(shares - 1))]
    images = torch.randn(BATCH, 1, 28, 28).to(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % 30
    times = []
    with ThreadPoolExecutor(threads) as pool:
        everywhere = pool.map if threads > 1 else map
        for number in range(STEPS):
            began = perf_counter()
            optimizer.zero_grad()
            list(
                everywhere(
                    partial(gradient, precision),
                    copies,
                    images.tensor_split(shares),
                    labels.tensor_split(shares),
                )
            )
            optimizer.step(number + 1, 1.0)
            times.append(perf_counter() - began)
    return 1e3 * min(times)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    keep_freed_memory()
    print(f"{sys.version.split()[0]}, torch {torch.__version__}, "
          f"{torch.backends.cpu.get_cpu_capability()}")  # fmt: skip
    for width in (17, 32):
        for precision in (torch.float32, torch.bfloat16):
            print(f"width {width}, {precision}: {fastest(width, precision, 1, 1):.1f} ms")
        for shares in (1, 2, 4):
            one, two = (fastest(width, torch.float32, shares, n) for n in (1, 2))
            print(f"width {width}, {shares} shares: one thread {one:.1f} ms, two {two:.1f} ms")


main()
