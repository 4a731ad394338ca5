"""The training loop that single students, cohorts and teachers share.

- A batch is gathered by index. The order of the examples depends only on (order seed, epoch).
  It is the same in every trial, so the students of a cohort can share their batches.
- The network is in train mode at every step. The loop never waits for the device inside an
  epoch: the loss stays a tensor until the rung ends.
- Each worker uses one torch thread. A teacher's batch is cut into shares, and each share is
  computed by one thread (see `nas_kd/training/data_parallel.py`). So the number of threads
  does not change a single bit of the results.

Suffixes: B examples of a batch, N of a split, C classes or channels, G students.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from math import cos, pi

import torch
from torch import Tensor, nn

from nas_kd.data.arrays import LARGE
from nas_kd.data.transfer import Rows, TransferSet
from nas_kd.data.views import PLAIN, View, Views, seen, shown, view
from nas_kd.training.adamw import AdamW
from nas_kd.training.batches import Gather, gather, normaliser, tensor

Objective = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(epoch, index_B, student_GBC, label_B) -> [G, B], the loss of each example."""

Gradient = Callable[[nn.Module, Tensor], Tensor]
"""(network, index_B) -> [G], what these examples add to the loss; its gradient is added to the
network's."""

Learn = Callable[[Gradient, Tensor], Tensor]
"""(gradient, index_B) -> [G], the loss of a batch; its gradient is left in the fitted network."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A one-cycle learning rate: up to its peak over a fifth of the steps, then down to nothing.

    With three tenths, as is usual, the accuracy at a rung says less of the end (studies/stopping).
    Smith, Topin 2017, "Super-Convergence", https://arxiv.org/abs/1708.07120
    """

    epochs: int
    batch: int

    def share(self, step: int, steps: int) -> float:
        """The learning rate at a step of the whole training, as a share of its peak."""
        done, rise = step / steps, 0.2
        if done < rise:
            return 0.04 + 0.96 * (1 - cos(pi * done / rise)) / 2
        return (1 + cos(pi * (done - rise) / (1 - rise))) / 2


def fit(
    network: nn.Module,
    optimizer: AdamW,
    loss: Objective,
    *,
    data: TransferSet,
    rows: Rows,
    schedule: Schedule,
    order_seed: int,
    span: range,
    on_epoch: Callable[[], None],
    precision: torch.dtype = torch.float32,
    layout: torch.memory_format = torch.channels_last,
    device: torch.device = torch.device("cpu"),
    learn: Learn | None = None,
) -> Tensor:
    """Train through the epochs of `span`; the sum of the losses [G], not finite if one ever was.

    `learn` takes a batch apart (see `nas_kd/training/data_parallel.py`); None takes it as a whole.
    """
    examples_NX = tensor(data.examples)[slice(*rows)]
    labels = gather(tensor(data.labels)[slice(*rows)], device)
    normalise = normaliser(data, layout, device)
    total_G = torch.zeros((), device=device)
    network.train()
    look = lru_cache(maxsize=1)(partial(looking, examples_NX, data.views, device))
    learn = learn or (lambda gradient, index_B: gradient(network, index_B))
    for epoch in span:
        examples = look(epoch % data.views.count)
        gradient = partial(backward, partial(loss, epoch), examples, normalise, labels, precision)
        batches = list(order(order_seed, epoch, len(examples_NX), schedule.batch))
        for number, index_B in enumerate(batches, epoch * len(batches)):
            optimizer.zero_grad()
            total_G = total_G + learn(partial(gradient, len(index_B)), index_B)
            optimizer.step(number + 1, schedule.share(number, schedule.epochs * len(batches)))
        on_epoch()
    return total_G


def backward(
    loss: Callable[[Tensor, Tensor, Tensor], Tensor],
    examples: Gather,
    normalise: Callable[[Tensor], Tensor],
    labels: Gather,
    precision: torch.dtype,
    batch: int,
    network: nn.Module,
    index_B: Tensor,
) -> Tensor:
    """What these examples add to the loss [G] of a batch of so many; its gradient is added to the
    network's."""
    seen_BX = normalise(examples(index_B))
    with torch.autocast(seen_BX.device.type, precision, enabled=precision != torch.float32):
        student_GBC = network(seen_BX)
    if student_GBC.dtype == torch.bfloat16:
        student_GBC = student_GBC.float()
    value_G = loss(index_B, student_GBC, labels(index_B)).sum(-1) / batch
    value_G.sum().backward()
    return value_G.detach()


def looking(examples_NX: Tensor, views: Views, device: torch.device, epoch: int) -> Gather:
    """Reads batches of examples as they are seen in an epoch; of a large set, none before it is
    asked for."""
    if views.count == 1 or examples_NX.nbytes < LARGE:
        return gather(seen(examples_NX, views, epoch), device)
    plain = gather(examples_NX, torch.device("cpu"))
    return lambda index_B: shown(plain(index_B), index_B, views, epoch).to(device)


def order(seed: int, epoch: int, count: int, batch: int) -> Iterator[Tensor]:
    """Index batches [B] of one epoch, near equal in size, drawn from (seed, epoch)."""
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    shuffled = torch.randperm(count, generator=generator)
    yield from shuffled.tensor_split(max(1, -(-count // batch)))


def derive(seed: int, *parts: str | int) -> int:
    """A seed of its own for each purpose, from the study's seed."""
    text = "/".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


@torch.inference_mode()
def answer(
    network: nn.Module,
    data: TransferSet,
    rows: Rows,
    layout: torch.memory_format = torch.channels_last,
    device: torch.device = torch.device("cpu"),
    how: View = PLAIN,
) -> Tensor:
    """The network's logits [N, C], or [G, N, C], for these rows as a view shows them, in eval
    mode."""
    was_training = network.training
    network.eval()
    normalise = normaliser(data, layout, device)
    examples_NX = tensor(data.examples)[slice(*rows)]
    parts = examples_NX.tensor_split(-(-len(examples_NX) // 128))
    logits = [network(normalise(view(part, how).to(device))) for part in parts]
    network.train(was_training)
    return torch.cat(logits, dim=-2)
