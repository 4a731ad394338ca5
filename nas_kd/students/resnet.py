"""Residual networks of basic blocks: a stem, then up to three stages of equal width.

He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition", section 3.3 and 4.2,
https://arxiv.org/abs/1512.03385. Where width or stride change, the shortcut is a 1x1 convolution
(their option B), or, with the option `shortcut = "pad"`, strided and padded with zeros (A).

The picture is halved at the stages until a side is at most 8; the stem makes up the rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import pad

from nas_kd.costs import Counts, Shape
from nas_kd.students.cnn import halvings, with_head
from nas_kd.students.family import Family, StudentConfig

STAGES = 3


def stages(depth: int) -> int:
    """How many widths a student of so many blocks has."""
    return min(STAGES, depth)


@dataclass(frozen=True, slots=True)
class Place:
    """A block: channels in and out, its stride, and the side lengths of what it gives."""

    fan_in: int
    fan_out: int
    stride: int
    sides: Shape

    @property
    def changes(self) -> bool:
        """Whether the shortcut has to do more than pass on what it gets."""
        return self.fan_in != self.fan_out or self.stride != 1


def places(config: StudentConfig) -> Iterator[Place]:
    """The stem, then each block."""
    fan_in, *sides = config.input_shape
    count = len(config.channels)
    inside = min(count - 1, halvings(max(sides)))
    stride = 2 ** (halvings(max(sides)) - inside)
    sides = [-(-side // stride) for side in sides]
    yield Place(fan_in, config.channels[0], stride, tuple(sides))
    fan_in = config.channels[0]
    for stage, width in enumerate(config.channels):
        for block in range((config.depth + stage) // count):
            stride = 2 if block == 0 and 1 <= stage <= inside else 1
            sides = [-(-side // stride) for side in sides]
            yield Place(fan_in, width, stride, tuple(sides))
            fan_in = width


class Padded(nn.Module):
    """The shortcut without parameters: every stride-th pixel, with zero channels added."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.stride, self.more = place.stride, place.fan_out - place.fan_in

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """As many channels more on both sides; narrower stages keep the first channels."""
        every_BCHW = images_BCHW[..., :: self.stride, :: self.stride]
        before = self.more // 2 if self.more > 0 else 0
        return pad(every_BCHW, (0, 0, 0, 0, before, self.more - before))


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm, added to the shortcut, then ReLU."""

    def __init__(self, place: Place, shortcut: str) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *convolution(place.fan_in, place.fan_out, 3, place.stride),
            nn.ReLU(),
            *convolution(place.fan_out, place.fan_out, 3, 1),
        )
        self.shortcut: nn.Module = nn.Identity()
        if place.changes and shortcut == "pad":
            self.shortcut = Padded(place)
        elif place.changes:
            self.shortcut = nn.Sequential(
                *convolution(place.fan_in, place.fan_out, 1, place.stride)
            )

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """[B, C in, H, W] to [B, C out, H / stride, W / stride]."""
        added_BCHW: Tensor = self.body(images_BCHW) + self.shortcut(images_BCHW)
        return added_BCHW.relu()


def convolution(fan_in: int, fan_out: int, side: int, stride: int) -> tuple[nn.Module, nn.Module]:
    """A convolution without bias, and its batch norm."""
    layer = nn.Conv2d(fan_in, fan_out, side, stride, padding=side // 2, bias=False)
    return layer, nn.BatchNorm2d(fan_out)


def shortcut_of(config: StudentConfig) -> str:
    """How shortcuts change width: `conv` or `pad`."""
    return str(config.options.get("shortcut", "conv"))


def build(config: StudentConfig) -> nn.Module:
    """Stem, blocks, the mean over the picture, one logit a class."""
    stem, *blocks = places(config)
    return nn.Sequential(
        *convolution(stem.fan_in, stem.fan_out, 3, stem.stride),
        nn.ReLU(),
        *(Block(place, shortcut_of(config)) for place in blocks),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(config.channels[-1], config.classes),
    )


def counts(config: StudentConfig) -> Counts:
    """Nine weights a pair of channels twice a block, one for a 1x1 shortcut; norms are two each."""
    stem, *blocks = places(config)
    layers = [(9 * stem.fan_in * stem.fan_out, stem)]
    for place in blocks:
        layers += [(9 * place.fan_in * place.fan_out, place), (9 * place.fan_out**2, place)]
        if place.changes and shortcut_of(config) != "pad":
            layers.append((place.fan_in * place.fan_out, place))
    weights = sum(count for count, _ in layers)
    macs = sum(count * place.sides[0] * place.sides[1] for count, place in layers)
    channels = sum(place.fan_out for _, place in layers)
    return with_head(config, weights, macs, channels)


RESNET = Family(
    build=build,
    counts=counts,
    default_depth=3,
    default_taper=1.6,
    stages=stages,
)
