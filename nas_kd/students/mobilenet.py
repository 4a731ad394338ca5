"""Mobile networks: a convolution, then blocks around a depthwise one.

With `mobile = "separable"` a block is a depthwise 3x3 and a 1x1 convolution (Howard et al. 2017,
"MobileNets", section 3.1, https://arxiv.org/abs/1704.04861); with `"inverted"` a 1x1 to four times
the channels, a depthwise 3x3 and a linear 1x1, added to its input where that has the same shape
(Sandler et al. 2018, "MobileNetV2", section 3, https://arxiv.org/abs/1801.04381, who use six
times). `squeeze_excite` puts a gate on each channel after the depthwise convolution (Hu et al.
2018, section 3, https://arxiv.org/abs/1709.01507; a quarter of the channels and a hard sigmoid, as
in Howard et al. 2019, "MobileNetV3", section 5.3, https://arxiv.org/abs/1905.02244).

The first blocks halve the example as those of `cnn` do.
"""

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor, nn

from nas_kd.costs.budgets import Counts, Shape
from nas_kd.students.cnn import blocks
from nas_kd.students.family import Family, StudentConfig
from nas_kd.students.layers import MEANS, Layer, convolution, head, head_layers, sides_of, total

EXPANSION = 4
"""An inverted block works on this many times the channels that it is given."""

SQUEEZE = 4
"""A gate is computed through one channel for so many."""


def inverted(config: StudentConfig) -> bool:
    """Whether blocks are inverted residuals."""
    return config.options.get("mobile") == "inverted"


def gated(config: StudentConfig) -> bool:
    """Whether blocks have squeeze-and-excitation."""
    return bool(config.options.get("squeeze_excite", False))


def squeezed(channels: int) -> int:
    """The channels through which a gate is computed."""
    return max(1, channels // SQUEEZE)


class Gate(nn.Module):
    """Scales each channel by what the mean of all channels says of it."""

    def __init__(self, channels: int, sides: int) -> None:
        super().__init__()
        few = squeezed(channels)
        self.squeeze = nn.Sequential(
            MEANS[sides](1), nn.Flatten(), nn.Linear(channels, few), nn.ReLU(),
            nn.Linear(few, channels), nn.Hardsigmoid(), nn.Unflatten(1, (channels, *[1] * sides)),
        )  # fmt: skip

    def forward(self, maps_BCX: Tensor) -> Tensor:
        """[B, C, *X] to the same."""
        return torch.mul(maps_BCX, self.squeeze(maps_BCX))


class Inverted(nn.Module):
    """A body that is added to its input."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, maps_BCX: Tensor) -> Tensor:
        """[B, C, *X] to the same."""
        return torch.add(maps_BCX, self.body(maps_BCX))


def block_of(config: StudentConfig, fan_in: int, fan_out: int, stride: int) -> Iterator[nn.Module]:
    """The layers of one block."""
    sides = sides_of(config)
    wide = fan_in * EXPANSION if inverted(config) else fan_in
    layers: list[nn.Module] = []
    if inverted(config):
        layers += [*convolution(fan_in, wide, 1, 1, sides), nn.ReLU()]
    layers += [*convolution(wide, wide, 3, stride, sides, groups=wide), nn.ReLU()]
    if gated(config):
        layers.append(Gate(wide, sides))
    layers += convolution(wide, fan_out, 1, 1, sides)
    if not inverted(config):
        yield from [*layers, nn.ReLU()]
    elif stride == 1 and fan_in == fan_out:
        yield Inverted(nn.Sequential(*layers))
    else:
        yield from layers


def build(config: StudentConfig) -> nn.Module:
    """A convolution, the blocks, the mean over all positions, one logit a class."""
    layers: list[nn.Module] = []
    sides = sides_of(config)
    for block, (fan_in, fan_out, stride, _) in enumerate(blocks(config)):
        if block:
            layers += block_of(config, fan_in, fan_out, stride)
        else:
            layers += [*convolution(fan_in, fan_out, 3, stride, sides), nn.ReLU()]
    return nn.Sequential(*layers, *head(config.channels[-1], config.classes, sides))


def block_layers(
    config: StudentConfig, fan_in: int, fan_out: int, before: Shape, after: Shape
) -> Iterator[Layer]:
    """The cost of one block; an inverted one that is added to its input keeps it."""
    small, large, taps = prod(after), prod(before), 3 ** len(after)
    read = fan_in * large
    kept = read if inverted(config) and before == after and fan_in == fan_out else 0
    wide = fan_in
    if inverted(config):
        wide = fan_in * EXPANSION
        yield Layer(fan_in * wide, large, wide, read + wide * large)
        read = wide * large
    within = wide * small
    yield Layer(taps * wide, small, wide, kept + read + within)
    if gated(config):
        few = squeezed(wide)
        for gate_in, gate_out in ((wide, few), (few, wide)):
            alive = kept + within + gate_in + gate_out
            yield Layer(gate_in * gate_out, 1, gate_out, alive, normed=False)
    yield Layer(wide * fan_out, small, fan_out, kept + within + fan_out * small)


def counts(config: StudentConfig) -> Counts:
    """The first convolution, the blocks, and the head."""
    before: Shape = config.input_shape[1:]
    layers: list[Layer] = []
    for block, (fan_in, fan_out, _, after) in enumerate(blocks(config)):
        if block:
            layers += block_layers(config, fan_in, fan_out, before, after)
        else:
            weights = 3 ** len(after) * fan_in * fan_out
            alive = fan_in * prod(before) + fan_out * prod(after)
            layers.append(Layer(weights, prod(after), fan_out, alive))
        before = after
    return total([*layers, *head_layers(config.channels[-1], prod(before), config.classes)])


MOBILENET = Family(
    build=build,
    counts=counts,
    default_depth=6,
    default_taper=1.2,
    sides=frozenset({1, 2}),
    options={"mobile": ("separable", "inverted"), "squeeze_excite": (False, True)},
    searched=("mobile", "squeeze_excite"),
)
