"""Plain multi-layer perceptrons: linear layers with ReLU between, no normalisation."""

from itertools import pairwise
from math import prod

from torch import nn

from nas_kd.costs import Counts
from nas_kd.students.family import Family, StudentConfig


def sizes(config: StudentConfig) -> tuple[int, ...]:
    """Every layer's width, from the flattened input to the classes."""
    return (prod(config.input_shape), *config.channels, config.classes)


def build(config: StudentConfig) -> nn.Module:
    """Flatten, then a linear layer and a ReLU a width, then one logit a class."""
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise(sizes(config)[:-1]):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes(config)[-2], config.classes))


def counts(config: StudentConfig) -> Counts:
    """A weight and a MAC for each pair of neighbouring units, a bias for each unit."""
    widths = sizes(config)
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(widths))
    biases = sum(widths[1:])
    return Counts(weights + biases, weights, weights, biases)


MLP = Family(build=build, counts=counts, default_depth=2, default_taper=1.0)
