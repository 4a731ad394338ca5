"""Residual networks: a stem, then blocks in up to three stages of equal width.

He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition", section 3.3 to 4.2,
https://arxiv.org/abs/1512.03385. With the option `block = "bottleneck"` a block is a 1x1, a 3x3 and
a 1x1 convolution to four times the width (figure 5); its stride is in the 3x3, as in torchvision.
Where width or stride change, the shortcut is a 1x1 convolution (their option B), or, with
`shortcut = "pad"`, strided and padded with zeros (A).

The example is halved at the stages until a side is small enough; the stem makes up the rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from nas_kd.costs.budgets import Counts, Shape
from nas_kd.students.family import Family, StudentConfig
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

STAGES = 3

BOTTLENECK = 4
"""A bottleneck block gives this many times its width."""


def stages(depth: int) -> int:
    """How many widths a student of so many blocks has."""
    return min(STAGES, depth)


def growth(config: StudentConfig) -> int:
    """How many times its width a block gives."""
    return BOTTLENECK if config.options.get("block") == "bottleneck" else 1


@dataclass(frozen=True, slots=True)
class Place:
    """A block: channels in, its width, channels out, its stride, the sides before and after."""

    fan_in: int
    width: int
    fan_out: int
    stride: int
    before: Shape
    after: Shape

    @property
    def changes(self) -> bool:
        """Whether the shortcut has to do more than pass on what it gets."""
        return self.fan_in != self.fan_out or self.stride != 1

    def steps(self) -> Iterator[tuple[int, int, int, int]]:
        """Channels in and out, kernel and stride of each convolution of the block's body."""
        if self.width == self.fan_out:
            yield self.fan_in, self.width, 3, self.stride
            yield self.width, self.width, 3, 1
        else:
            yield self.fan_in, self.width, 1, 1
            yield self.width, self.width, 3, self.stride
            yield self.width, self.fan_out, 1, 1


def places(config: StudentConfig) -> Iterator[Place]:
    """The stem, then each block."""
    fan_in, *rest = config.input_shape
    sides: Shape = tuple(rest)
    count = len(config.channels)
    inside = min(count - 1, halvings(sides))
    stride = 2 ** (halvings(sides) - inside)
    first = config.channels[0]
    yield Place(fan_in, first, first, stride, sides, strided(sides, stride))
    sides, fan_in = strided(sides, stride), first
    for stage, width in enumerate(config.channels):
        for block in range((config.depth + stage) // count):
            stride = 2 if block == 0 and 1 <= stage <= inside else 1
            fan_out = width * growth(config)
            yield Place(fan_in, width, fan_out, stride, sides, strided(sides, stride))
            sides, fan_in = strided(sides, stride), fan_out


class Padded(nn.Module):
    """The shortcut without parameters: every stride-th position, with zero channels added."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.every: Any = (..., *(slice(None, None, place.stride) for _ in place.after))
        more = place.fan_out - place.fan_in
        before = more // 2 if more > 0 else 0
        self.padding = (*(0 for _ in range(2 * len(place.after))), before, more - before)

    def forward(self, maps_BCX: Tensor) -> Tensor:
        """As many channels more on both sides; narrower stages keep the first channels."""
        return pad(maps_BCX[self.every], self.padding)


class Block(nn.Module):
    """Convolutions with batch norm and ReLU between, added to the shortcut, then ReLU."""

    def __init__(self, place: Place, shortcut: str) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        sides = len(place.after)
        for fan_in, fan_out, kernel, stride in place.steps():
            layers += [*convolution(fan_in, fan_out, kernel, stride, sides), nn.ReLU()]
        self.body = nn.Sequential(*layers[:-1])
        self.shortcut: nn.Module = nn.Identity()
        if place.changes and shortcut == "pad":
            self.shortcut = Padded(place)
        elif place.changes:
            self.shortcut = nn.Sequential(
                *convolution(place.fan_in, place.fan_out, 1, place.stride, sides)
            )

    def forward(self, maps_BCX: Tensor) -> Tensor:
        """[B, C in, *X] to [B, C out, *X / stride]."""
        added_BCX: Tensor = self.body(maps_BCX) + self.shortcut(maps_BCX)
        return added_BCX.relu()


def shortcut_of(config: StudentConfig) -> str:
    """How shortcuts change width: `conv` or `pad`."""
    return str(config.options.get("shortcut", "conv"))


def build(config: StudentConfig) -> nn.Module:
    """Stem, blocks, the mean over all positions, one logit a class."""
    stem, *blocks = places(config)
    sides = sides_of(config)
    return nn.Sequential(
        *convolution(stem.fan_in, stem.fan_out, 3, stem.stride, sides),
        nn.ReLU(),
        *(Block(place, shortcut_of(config)) for place in blocks),
        *head(config.channels[-1] * growth(config), config.classes, sides),
    )


def block_layers(place: Place, shortcut: str) -> Iterator[Layer]:
    """The convolutions of a block; its input is kept for the shortcut."""
    kept = read = place.fan_in * prod(place.before)
    sides, written = place.before, 0
    for step, (fan_in, fan_out, kernel, stride) in enumerate(place.steps()):
        sides = strided(sides, stride)
        written = fan_out * prod(sides)
        alive = read + written + (kept if step else 0)
        yield Layer(kernel ** len(sides) * fan_in * fan_out, prod(sides), fan_out, alive)
        read = written
    if place.changes:
        weights = 0 if shortcut == "pad" else place.fan_in * place.fan_out
        channels = 0 if shortcut == "pad" else place.fan_out
        yield Layer(weights, prod(sides), channels, kept + 2 * written)


def counts(config: StudentConfig) -> Counts:
    """The stem, all convolutions of all blocks, and the head."""
    stem, *blocks = places(config)
    written = stem.fan_out * prod(stem.after)
    layers = [
        Layer(
            3 ** len(stem.after) * stem.fan_in * stem.fan_out,
            prod(stem.after),
            stem.fan_out,
            prod(config.input_shape) + written,
        )
    ]
    for place in blocks:
        layers += block_layers(place, shortcut_of(config))
    last = blocks[-1]
    return total([*layers, *head_layers(last.fan_out, prod(last.after), config.classes)])


RESNET = Family(
    build=build,
    counts=counts,
    default_depth=3,
    default_taper=1.6,
    sides=frozenset({1, 2}),
    stages=stages,
    options={"block": ("basic", "bottleneck"), "shortcut": ("conv", "pad")},
)
