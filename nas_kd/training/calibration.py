"""The statistics of batch norms in the middle of training, taken from fixed training examples.

The running statistics lag behind the weights there, and the statistics of neighbouring rows
depend on how the rows are sorted: image folders and sorted tables lie class by class.

Suffixes: B examples of a batch, M calibration examples, N of a split, X the shape of one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas_kd.data.transfer import TransferSet
from nas_kd.students.packing import PackedNorm
from nas_kd.training.batches import normaliser, tensor
from nas_kd.training.jobs import BATCH
from nas_kd.training.loop import derive

EXAMPLES = 1024
"""So many training examples are drawn, or all where there are fewer."""


@contextmanager
def calibrated(
    network: nn.Module, data: TransferSet, seed: int, layout: torch.memory_format
) -> Iterator[None]:
    """Have batch norms use the statistics of fixed training examples, drawn by `seed`; put the
    running statistics back afterwards.

    A statistic is its mean over pieces of the examples (Wu, Johnson 2021, "Rethinking 'Batch' in
    BatchNorm", https://arxiv.org/abs/2105.07576, section 3).
    """
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm | PackedNorm)]
    momenta = [norm.momentum for norm in norms]
    kept = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers()]
    device, was_training = next(network.parameters()).device, network.training
    normalise = normaliser(data, layout, device)
    network.eval()
    for norm in norms:
        norm.train()
    with torch.inference_mode():
        for number, piece_BX in enumerate(calibration_examples(data, seed) if norms else (), 1):
            for norm in norms:
                norm.momentum = 1 / number  # so the running statistics are the mean so far
            network(normalise(piece_BX.to(device)))
        network.eval()
        yield
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for buffer, value in kept:
            buffer.copy_(value)
    network.train(was_training)


def calibration_examples(data: TransferSet, seed: int) -> tuple[Tensor, ...]:
    """The calibration examples [M, *X] in pieces of near equal size, each as a step of training has
    them, and as the plain view sees them.

    They depend on the training split and the seed alone, and are in random order.
    """
    train_NX = tensor(data.examples)[slice(*data.train)]
    generator = torch.Generator().manual_seed(derive(seed, "calibration"))
    drawn_M = torch.randperm(len(train_NX), generator=generator)[:EXAMPLES]
    return train_NX[drawn_M].tensor_split(-(-len(drawn_M) // BATCH))
