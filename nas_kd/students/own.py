"""A class of the user's as a family: `module:Class`, which says how it is made narrower."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from torch import nn

from nas_kd.errors import Unusable
from nas_kd.students.family import Family, StudentConfig

RIGHT = (
    "Give the class an attribute `widths = nas_kd.Widths(...)` that names its arguments, and name "
    "it as module:Class."
)


@dataclass(frozen=True, slots=True)
class Widths:
    """How a class of networks is made narrower or deeper: the names of its arguments."""

    channels: str = "channels"
    """Takes the widths, a tuple with one for each block."""
    classes: str | None = "classes"
    """Takes the number of classes; None if it is not free."""
    input_shape: str | None = None
    """Takes the shape of an example; None if the class does not ask."""
    depths: range = range(1, 2)
    """How many widths it can have."""
    depth: int = 1
    """How many its default student has."""
    taper: float = 1.0
    """The ratio of neighbouring widths in its default student."""
    sides: frozenset[int] = frozenset({2})
    """How many sides its examples can have: 2 are pictures, 1 are signals, 0 are tables."""


def own(name: str) -> Family:
    """The family of a class of the user's. Raises Unusable."""
    module, _, attribute = name.partition(":")
    given = f"family {name!r}"
    try:
        kind = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise Unusable(given, f"cannot be imported ({error})", RIGHT) from error
    widths = getattr(kind, "widths", None)
    if not isinstance(widths, Widths):
        raise Unusable(given, "does not say what of it is free", RIGHT)

    def build(config: StudentConfig) -> nn.Module:
        named: dict[str | None, Any] = {
            widths.channels: config.channels,
            widths.classes: config.classes,
            widths.input_shape: config.input_shape,
        }
        network: nn.Module = kind(**{n: value for n, value in named.items() if n is not None})
        return network

    return Family(
        build,
        default_depth=widths.depth,
        default_taper=widths.taper,
        depths=widths.depths,
        sides=widths.sides,
    )
