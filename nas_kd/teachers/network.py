"""The teacher that is trained when none is given: a wide network for the kind of examples."""

from math import prod

from torch import nn

from nas_kd.costs.budgets import Shape
from nas_kd.students.layers import SMALL, convolution, strided

FEATURES = 13
"""A teacher of tables has so many units a layer for each channel of the first block."""


def wide(input_shape: Shape, classes: int, width: int) -> nn.Module:
    """A wide network; convolutional for pictures and signals."""
    if len(input_shape) == 1:
        return dense(input_shape[0], classes, FEATURES * width)
    return convolutional(input_shape, classes, width)


KERNEL = {1: 7, 2: 3}
"""How long the convolutions are, for signals and for pictures."""


def convolutional(input_shape: Shape, classes: int, width: int) -> nn.Module:
    """Four convolutions of `width`, 2, 4 and 4 times it, then a linear layer.

    The first blocks halve the example until it is small, the last halves it once more. Of signals
    the mean over their length is what is classified (studies/own-data).
    """
    fan_in, *rest = input_shape
    sides: Shape = tuple(rest)
    small, kernel = SMALL[len(sides)], KERNEL[len(sides)]
    layers: list[nn.Module] = []
    for block, fan_out in enumerate((width, 2 * width, 4 * width, 4 * width)):
        stride = 2 if max(sides) > small or (block == 3 and 2 * min(sides) > small) else 1
        layers += [*convolution(fan_in, fan_out, kernel, stride, len(sides)), nn.ReLU()]
        sides, fan_in = strided(sides, stride), fan_out
    if len(sides) == 1:
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(fan_in, classes)
        )
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(fan_in * prod(sides), classes))


def dense(features: int, classes: int, width: int) -> nn.Module:
    """Two layers with batch norm and ReLU, then dropout and a linear layer."""
    layers: list[nn.Module] = []
    for fan_in in (features, width):
        layers += [nn.Linear(fan_in, width), nn.BatchNorm1d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dropout(0.3), nn.Linear(width, classes))
