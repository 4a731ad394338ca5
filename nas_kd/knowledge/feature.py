"""Feature knowledge: the student imitates what layers of the teacher give.

Suffixes: B examples, C channels, X the sides of a map, P its positions.
"""

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool2d, normalize

from nas_kd.data.signals import Tap
from nas_kd.knowledge.term import Features, Knowledge

POOLS: dict[int, Callable[..., Tensor]] = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d}


def of_equal_sides(one_BCX: Tensor, other_BCX: Tensor) -> tuple[Tensor, Tensor]:
    """Pool both to the smaller side in each dimension, or to vectors [B, C] where the numbers of
    their sides differ."""
    sides = tuple(
        map(min, zip(one_BCX.shape[2:], other_BCX.shape[2:], strict=False))
        if one_BCX.ndim == other_BCX.ndim
        else ()
    )
    return pooled(one_BCX, sides), pooled(other_BCX, sides)


def pooled(maps_BCX: Tensor, sides: tuple[int, ...]) -> Tensor:
    """Pool maps [B, C, *X] to these sides by means; no sides gives vectors [B, C]."""
    if tuple(maps_BCX.shape[2:]) == sides:
        return maps_BCX
    if not sides:
        return maps_BCX.flatten(2).mean(-1)
    return POOLS[len(sides)](maps_BCX, sides)


def one_by_one(student: Tap, teacher: Tap) -> nn.Module:
    """A linear map from the student's channels to the teacher's, the same at every position."""
    return PerPosition(student.channels, teacher.channels)


class PerPosition(nn.Module):
    """A convolution over one position, of maps of any number of sides and of vectors."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.map = nn.Conv1d(fan_in, fan_out, 1)

    def forward(self, features_BCX: Tensor) -> Tensor:
        """[B, C in, *X] to [B, C out, *X]."""
        shape = features_BCX.shape
        flat_BCP = features_BCX.reshape(*shape[:2], prod(shape[2:]))
        mapped_BCP: Tensor = self.map(flat_BCP)
        return mapped_BCP.reshape(shape[0], -1, *shape[2:])


def fitnet(student: Features, teacher: Features) -> Tensor:
    """Half the mean squared difference of one layer's features, [B].

    Romero, Ballas, Kahou, Chassang, Gatta, Bengio 2015, "FitNets: Hints for Thin Deep Nets",
    equation 3 divided by the number of values, https://arxiv.org/abs/1412.6550: a hint, the middle
    layer of the teacher, through an adapter of the student's. Theirs is a first stage of training;
    here it stands beside the labels.
    """
    ((ours_BCX, theirs_BCX),) = map(of_equal_sides, student, teacher)
    return 0.5 * (ours_BCX - theirs_BCX).flatten(1).square().mean(-1)


def energy(features: Features) -> Features:
    """The mean over channels of squares, [B, 1, *X] of each layer."""
    return tuple(maps_BCX.square().mean(1, keepdim=True) for maps_BCX in features)


def attention(student: Features, teacher: Features) -> Tensor:
    """The squared distance of attention maps of length 1, [B], averaged over layers.

    Zagoruyko, Komodakis 2017, "Paying More Attention to Attention", equation 2 with p = 2,
    https://arxiv.org/abs/1612.03928, with the squared length in place of the length.
    """
    pairs = zip(energy(student), teacher, strict=True)
    return torch.stack(
        [attention_distance(ours_BCX, theirs_BCX) for ours_BCX, theirs_BCX in pairs]
    ).mean(0)


def attention_distance(student_BCX: Tensor, teacher_BCX: Tensor) -> Tensor:
    """The squared distance [B] of two attention maps of length 1."""
    ours_BCX, theirs_BCX = of_equal_sides(student_BCX, teacher_BCX)
    return (normalize(ours_BCX.flatten(1)) - normalize(theirs_BCX.flatten(1))).square().sum(-1)


FITNET = Knowledge(loss=fitnet, weight=10, tempered=False, layers="middle", adapter=one_by_one)
ATTENTION = Knowledge(
    loss=attention, weight=10, tempered=False, layers="all", maps=True, keep=energy
)
