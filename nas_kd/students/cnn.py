"""Plain convolutional networks: convolution over 3 (x 3), batch norm and ReLU a block, then the
mean over all positions and a linear layer. The first blocks halve a picture until a side is at most
8, a signal until it is at most 16 long, which is several times faster than pooling late, and more
accurate at an equal number of parameters.
"""

from collections.abc import Iterator, Sequence
from math import prod

import torch
from torch import Tensor, nn

from nas_kd.costs.budgets import Counts, Shape
from nas_kd.students.family import Family, Pack, StudentConfig
from nas_kd.students.layers import (
    Layer,
    convolution,
    halvings,
    head,
    head_layers,
    sides_of,
    strided,
    total,
)
from nas_kd.students.packing import MEAN, PackedConv, PackedLinear, PackedNorm, wide, widened


def strides(depth: int, halved: int) -> list[int]:
    """The stride of each block: a halving each from the first on; the first makes up the rest."""
    extra = max(0, halved - depth)
    return [2 ** (extra + 1 if block == 0 else 1) if block < halved else 1
            for block in range(depth)]  # fmt: skip


def blocks(config: StudentConfig) -> Iterator[tuple[int, int, int, Shape]]:
    """Channels in, channels out, stride and output sides of each block."""
    fan_in, *rest = config.input_shape
    sides: Shape = tuple(rest)
    steps = strides(config.depth, halvings(sides))
    for fan_out, stride in zip(config.channels, steps, strict=True):
        sides = strided(sides, stride)
        yield fan_in, fan_out, stride, sides
        fan_in = fan_out


def build(config: StudentConfig) -> nn.Module:
    """One convolution, batch norm and ReLU a width, then one logit a class."""
    layers: list[nn.Module] = []
    for fan_in, fan_out, stride, sides in blocks(config):
        layers += [*convolution(fan_in, fan_out, 3, stride, len(sides)), nn.ReLU()]
    return nn.Sequential(*layers, *head(config.channels[-1], config.classes, sides_of(config)))


def counts(config: StudentConfig) -> Counts:
    """Nine weights a pair of channels, three for signals; norms are a scale and a shift each."""
    layers, read, positions = [], prod(config.input_shape), 0
    for fan_in, fan_out, _, sides in blocks(config):
        positions = prod(sides)
        written = fan_out * positions
        weights = 3 ** len(sides) * fan_in * fan_out
        layers.append(Layer(weights, positions, fan_out, read + written))
        read = written
    return total([*layers, *head_layers(config.channels[-1], positions, config.classes)])


class Packed(nn.Module):
    """Several convolutional networks in one, the deepest first; a shallower one leaves early."""

    def __init__(self, configs: Sequence[StudentConfig]) -> None:
        super().__init__()
        deepest = configs[0]
        widths = [wide(configs, block) for block in range(deepest.depth)]
        fan_ins = [deepest.input_shape[0], *map(max, widths)]
        sides = deepest.input_shape[1:]
        steps = strides(deepest.depth, halvings(sides))
        self.convs = nn.ModuleList(
            PackedConv(len(here), fan_in, max(here), step, len(sides), first=block == 0)
            for block, (here, fan_in, step) in enumerate(zip(widths, fan_ins, steps, strict=False))
        )
        self.norms = nn.ModuleList(PackedNorm(len(here), max(here)) for here in widths)
        self.sizes = [(len(here), max(here)) for here in widths]
        self.stay = [*map(len, widths[1:]), 0]
        self.last = max(config.channels[-1] for config in configs)
        self.head = PackedLinear(len(configs), self.last, deepest.classes)

    def forward(self, maps_BCX: Tensor) -> Tensor:
        """Logits [G, B, C]."""
        left = []
        for conv, norm, (students, width), stay in zip(
            self.convs, self.norms, self.sizes, self.stay, strict=True
        ):
            maps_BCX = norm(conv(maps_BCX)).relu_()
            if stay < students:
                leaving_BCX = maps_BCX[:, stay * width :]
                sides = leaving_BCX.shape[2:]
                pooled_BF = MEAN[len(sides)](leaving_BCX, sides).flatten(1)
                pooled_GFB = pooled_BF.T.unflatten(0, (students - stay, width))
                left.append(widened(pooled_GFB, self.last))
                maps_BCX = maps_BCX[:, : stay * width]
        logits_GCB: Tensor = self.head(torch.cat(left[::-1]))
        return logits_GCB.transpose(1, 2)


def names(config: StudentConfig) -> dict[str, str]:
    """Where each layer of a convolutional network is in a packed one."""
    convs = {str(3 * block): f"convs.{block}" for block in range(config.depth)}
    norms = {str(3 * block + 1): f"norms.{block}" for block in range(config.depth)}
    return convs | norms | {str(3 * config.depth + 2): "head"}


CNN = Family(
    build=build,
    counts=counts,
    default_depth=5,
    default_taper=1.2,
    sides=frozenset({1, 2}),
    pack=Pack(
        Packed,
        names,
        alike=lambda config: strides(config.depth, halvings(config.input_shape[1:]))[0],
    ),
)
