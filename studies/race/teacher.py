"""The race's teacher: three convolutions of 32, 64 and 128 channels."""

import os

from torch import nn


def network(shape: tuple[int, ...], classes: int) -> nn.Module:
    """Convolution, batch norm, ReLU three times; the picture is halved after each but the last."""
    layers: list[nn.Module] = []
    fan_in = shape[0]
    for block, width in enumerate((32, 64, 128)):
        layers += [nn.Conv2d(fan_in, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        if block < 2:
            layers.append(nn.MaxPool2d(2))
        fan_in = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(fan_in, classes))


def given() -> nn.Module:
    """The teacher as a function without arguments, for `--teacher teacher:given`."""
    shape = tuple(int(side) for side in os.environ["RACE_SHAPE"].split(","))
    return network(shape, 10)
