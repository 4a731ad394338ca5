"""Whether a teacher always answers the same to an example: alone, among others, and again.

Suffixes: B examples, C classes.
"""

import torch
from torch import Tensor, nn

from nas_kd.data.transfer import TransferSet
from nas_kd.errors import NasKDError, UnusableTeacher
from nas_kd.training import normaliser, tensor

ALONE, TOGETHER = 32, 128
"""So many examples are answered one by one, and so many in one batch."""

APART = 1e-3
"""Answers differ where they do by more than this, and by more than this share of themselves."""


@torch.inference_mode()
def expect_steady(network: nn.Module, data: TransferSet, name: str) -> None:
    """Raise UnusableTeacher for a network in eval mode that answers at random, or whose answer to
    an example depends on the others in its batch: its signals could not be checked."""
    first, last = data.labelled
    rows = slice(first, min(last, first + TOGETHER))
    examples_BX = normaliser(data)(tensor(data.examples)[rows])
    together_BC, again_BC = network(examples_BX), network(examples_BX)
    if differ(together_BC, again_BC):
        wrong = "answers otherwise when it is asked again, in eval mode: it draws random numbers"
        right = "Look for dropout or noise that ignores eval(): dropout(..., training=True)."
        raise UnusableTeacher(name, wrong, right)
    try:
        alone_BC = torch.cat([network(one) for one in examples_BX[:ALONE].split(1)])
    except NasKDError:
        raise
    except Exception as error:
        wrong = f"cannot answer a single example, only a batch ({error})"
        right = "It must take a batch of any size: export it with a dynamic first dimension."
        raise UnusableTeacher(name, wrong, right) from error
    if differ(together_BC[:ALONE], alone_BC):
        wrong = "answers otherwise to an example alone than among others, in eval mode"
        right = (
            "Look for statistics of the batch: a batch norm with track_running_stats=False, or one "
            "that is kept in train mode."
        )
        raise UnusableTeacher(name, wrong, right)


def differ(one_BC: Tensor, other_BC: Tensor) -> bool:
    """Whether answers differ by more than the last bits; NaN is as itself."""
    return not torch.allclose(one_BC, other_BC, rtol=APART, atol=APART, equal_nan=True)
