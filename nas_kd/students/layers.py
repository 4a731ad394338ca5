"""Layers for pictures and signals alike, by how many sides an example has: 2 or 1."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log2

from torch import nn

from nas_kd.costs.budgets import FLOAT, Counts, Shape
from nas_kd.students.family import StudentConfig

CONVOLUTIONS: dict[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d}
NORMS: dict[int, type[nn.Module]] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
MEANS: dict[int, type[nn.Module]] = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d}

SMALL = {1: 16, 2: 8}
"""An example whose sides are at most this long is not halved any more."""


def sides_of(config: StudentConfig) -> int:
    """The number of spatial dimensions: 2 for pictures, 1 for signals, 0 for table rows."""
    return len(config.input_shape) - 1


def convolution(
    fan_in: int, fan_out: int, width: int, stride: int, sides: int, groups: int = 1
) -> tuple[nn.Module, nn.Module]:
    """A convolution without bias, and its batch norm."""
    kind = CONVOLUTIONS[sides]
    layer = kind(fan_in, fan_out, width, stride, width // 2, groups=groups, bias=False)
    return layer, NORMS[sides](fan_out)


def head(channels: int, classes: int, sides: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    """The mean over an example's positions, then one logit a class."""
    return MEANS[sides](1), nn.Flatten(), nn.Linear(channels, classes)


def halvings(sides: Shape) -> int:
    """How often an example with these sides is halved."""
    return max(0, ceil(log2(max(sides) / SMALL[len(sides)])))


def strided(sides: Shape, stride: int) -> Shape:
    """The sides after a stride."""
    return tuple(-(-side // stride) for side in sides)


@dataclass(frozen=True, slots=True)
class Layer:
    """What one convolution or linear layer costs."""

    weights: int
    positions: int
    """At how many positions of an example the weights are applied."""
    channels: int
    """Channels out, each with a batch norm, or with a bias."""
    alive: int
    """Numbers in memory while it runs: what it reads and writes, and what is kept for later."""
    normed: bool = True
    logits: int = 0
    """Numbers that it writes as floats in a quantised student, too."""


def total(layers: Iterable[Layer]) -> Counts:
    """The counts of all layers together."""
    every = list(layers)
    weights = sum(layer.weights for layer in every)
    return Counts(
        parameters=weights + sum(layer.channels * (1 + layer.normed) for layer in every),
        macs=sum(layer.weights * layer.positions for layer in every),
        weights=weights,
        biases=sum(layer.channels for layer in every),
        activations=max(layer.alive for layer in every),
        activations_int8=max(layer.alive + (FLOAT - 1) * layer.logits for layer in every),
    )


def head_layers(channels: int, positions: int, classes: int) -> tuple[Layer, Layer]:
    """The cost of `head`: the mean over the positions, and the linear layer."""
    mean = Layer(0, 1, 0, channels * positions + channels, normed=False)
    weights, alive = channels * classes, channels + classes
    return mean, Layer(weights, 1, classes, alive, normed=False, logits=classes)
