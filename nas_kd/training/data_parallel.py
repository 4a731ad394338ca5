"""A step whose batch is cut in shares, each with a copy of the network that a thread can have.

There are as many shares for one thread as for several, and their gradients are added in the same
order, so what is learned is the same bit for bit. Batch norms see the examples of their own share;
their running statistics are the mean of all shares'.

Suffixes: B examples of a batch, G students.
"""

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from nas_kd.training.loop import Gradient, Learn

SHARES = 4
"""Of a batch: two threads are 1.4 to 2 times faster than one that takes it as a whole, one is up to
a quarter slower (studies/overhead)."""

LEAST = 16
"""Examples of a share, for the sake of the batch norms."""


@contextmanager
def shared(network: nn.Module, threads: int) -> Iterator[Learn]:
    """How to learn from a batch in shares, by up to so many threads at once.

    Construct the optimizer first. The network must draw nothing at random (no dropout). When the
    block ends, its running statistics are the mean of those of the copies that had a share.
    """
    copies = [network, *(replica(network) for _ in range(SHARES - 1))]
    used = 1
    pool = ThreadPoolExecutor(min(threads, SHARES), "share", partial(torch.set_num_threads, 1))
    everywhere = pool.map if threads > 1 else map

    def learn(gradient: Gradient, index_B: Tensor) -> Tensor:
        nonlocal used
        parts = index_B.tensor_split(max(1, min(SHARES, len(index_B) // LEAST)))
        used = max(used, len(parts))
        total_G = torch.stack(list(everywhere(gradient, copies, parts))).sum(0)
        for parameter, *others in zip(*(one.parameters() for one in copies), strict=True):
            for other in others:
                parameter.grad += other.grad
                other.grad.zero_()
        return total_G

    with pool:
        yield learn
    for buffer, *others in zip(*(one.buffers() for one in copies[:used]), strict=True):
        if buffer.is_floating_point():
            buffer.copy_(torch.stack([buffer, *others]).mean(0))


def replica(network: nn.Module) -> nn.Module:
    """A network of the same parameters, in the same memory; gradients and buffers are its own."""
    other = copy.deepcopy(network)
    for mine, theirs in zip(other.parameters(), network.parameters(), strict=True):
        mine.data, mine.grad = theirs.data, torch.zeros_like(theirs)
    return other
