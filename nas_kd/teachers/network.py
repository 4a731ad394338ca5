"""The teacher that is trained when none is given: a wide convolutional network."""

from math import ceil

from torch import nn

from nas_kd.costs import Shape

SMALL_SIDE = 8


def wide(input_shape: Shape, classes: int, width: int) -> nn.Module:
    """Four 3x3 convolutions of `width`, 2, 4 and 4 times it, then dropout and a linear layer.

    The first blocks halve the picture until a side is at most 8, the last halves it once more.
    """
    fan_in, *sides = input_shape
    layers: list[nn.Module] = []
    for block, fan_out in enumerate((width, 2 * width, 4 * width, 4 * width)):
        stride = 2 if max(sides) > SMALL_SIDE or (block == 3 and min(sides) > 4) else 1
        convolution = nn.Conv2d(fan_in, fan_out, 3, stride, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(fan_out), nn.ReLU()]
        sides = [ceil(side / stride) for side in sides]
        fan_in = fan_out
    features = fan_in * sides[0] * sides[1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(features, classes))
