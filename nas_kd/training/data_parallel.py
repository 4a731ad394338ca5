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
"""The number of shares of a batch.

Compared with one thread that computes the whole batch at once, shares on two threads are 1.4
to 2 times faster, and shares on one thread are up to a quarter slower (studies/overhead).
"""

LEAST = 16
"""Examples of a share, for the sake of the batch norms."""


@contextmanager
def shared(network: nn.Module, threads: int) -> Iterator[Learn]:
    """Yield a function that computes a batch's gradient in shares, on up to `threads` threads.

    Construct the optimizer first: it moves the parameters to its own memory, which the copies then
    share. The network must draw no random numbers (no dropout). When the block ends, its running
    statistics become the mean over the copies that computed a share.
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
