"""Plain convolutional networks: 3x3 convolution, batch norm and ReLU a block, then the mean over
the picture and a linear layer. The first blocks halve the picture until a side is at most 8, which
is several times faster than pooling late, and more accurate at an equal number of parameters.
"""

from collections.abc import Iterator
from math import ceil, log2

from torch import nn

from nas_kd.costs import Counts, Shape
from nas_kd.students.family import Family, StudentConfig

SMALL_SIDE = 8
"""A picture of at most this side is not halved any more."""


def strides(depth: int, side: int) -> list[int]:
    """The stride of each block: a halving each from the first on; the first makes up the rest."""
    halvings = max(0, ceil(log2(side / SMALL_SIDE)))
    extra = max(0, halvings - depth)
    return [2 ** (extra + 1 if block == 0 else 1) if block < halvings else 1
            for block in range(depth)]  # fmt: skip


def blocks(config: StudentConfig) -> Iterator[tuple[int, int, int, Shape]]:
    """Channels in, channels out, stride and output side lengths of each block."""
    fan_in, *sides = config.input_shape
    for fan_out, stride in zip(config.channels, strides(config.depth, max(sides)), strict=True):
        sides = [(side + stride - 1) // stride for side in sides]
        yield fan_in, fan_out, stride, tuple(sides)
        fan_in = fan_out


def build(config: StudentConfig) -> nn.Module:
    """One convolution, batch norm and ReLU a width, then one logit a class."""
    layers: list[nn.Module] = []
    for fan_in, fan_out, stride, _ in blocks(config):
        convolution = nn.Conv2d(fan_in, fan_out, 3, stride, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(fan_out), nn.ReLU()]
    head = nn.Linear(config.channels[-1], config.classes)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def counts(config: StudentConfig) -> Counts:
    """Nine weights a pair of channels; a scale and a shift a channel, which fold into one bias."""
    weights = macs = 0
    for fan_in, fan_out, _, (height, width) in blocks(config):
        weights += 9 * fan_in * fan_out
        macs += 9 * fan_in * fan_out * height * width
    head = config.channels[-1] * config.classes
    biases = sum(config.channels) + config.classes
    parameters = weights + head + 2 * sum(config.channels) + config.classes
    return Counts(parameters, macs + head, weights + head, biases)


CNN = Family(build=build, counts=counts, default_depth=5, default_taper=1.2)
