"""Families that are named by where they are: `module:Class`, which says how it is made narrower,
`module:function` or `torchvision:model`, whose network is scaled as a whole, and `whole:` before
one of these two, which is the network as it is."""

import copy
import warnings
from dataclasses import dataclass
from typing import Any

from torch import nn

from nas_kd.errors import Unusable, suggestion
from nas_kd.registry import imported
from nas_kd.students.family import Family, StudentConfig
from nas_kd.students.scaled import Make, scaled

TORCHVISION = "torchvision:"
WHOLE = "whole:"

RIGHT = (
    "Name a function without arguments that returns an nn.Module, which is made narrower as a "
    "whole, or a class that has an attribute `widths = nas_kd.Widths(...)`."
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


def family_from_path(name: str) -> Family:
    """The family of a class or function of the user's, or of torchvision's. Raises Unusable."""
    if name.startswith(WHOLE):
        return as_it_is(name.removeprefix(WHOLE))
    if name.startswith(TORCHVISION):
        return scaled(name, from_torchvision(name))
    kind = found(name)
    widths = getattr(kind, "widths", None)
    return named(kind, widths) if isinstance(widths, Widths) else scaled(name, made(name, kind))


def found(name: str) -> Any:
    """The class or function called `module:attribute`. Raises Unusable."""
    module, _, attribute = name.partition(":")
    given = f"family {name!r}"
    try:
        return getattr(imported(module), attribute)
    except (ImportError, AttributeError) as error:
        where = f"Search in the folder that has {module}.py, or with that folder on PYTHONPATH."
        right = where if isinstance(error, ModuleNotFoundError) else RIGHT
        raise Unusable(given, f"cannot be imported ({error})", right) from error


def as_it_is(name: str) -> Family:
    """The family that has one network: the one of a function without arguments or of torchvision's,
    with the initial weights that its author draws. Raises Unusable."""
    torchvision = name.startswith(TORCHVISION)
    make = from_torchvision(name) if torchvision else made(name, found(name))
    return Family(
        lambda config: copy.deepcopy(make(config.classes)),
        depths=range(1, 2),
        sides=frozenset({0, 1, 2}),
    )


def from_torchvision(name: str) -> Make:
    """A model of torchvision's by name. Raises Unusable."""
    from torchvision import models

    model = name.removeprefix(TORCHVISION)
    known = tuple(models.list_models(module=models))
    if model not in known:
        right = suggestion(model, known).strip() or "Take one such as torchvision:resnet18."
        raise Unusable(f"family {name!r}", "is no model of torchvision", right)

    def make(classes: int) -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of initial values, which are not kept
            network: nn.Module = models.get_model(model, weights=None, num_classes=classes)
        return network

    return make


def made(name: str, kind: Any) -> Make:
    """What a function without arguments gives. Raises Unusable."""

    def make(classes: int) -> nn.Module:
        try:
            network = kind()
        except TypeError as error:
            raise Unusable(f"family {name!r}", f"cannot be made ({error})", RIGHT) from error
        if not isinstance(network, nn.Module):
            wrong = f"returns {type(network).__name__}, not an nn.Module"
            raise Unusable(f"family {name!r}", wrong, RIGHT)
        return network

    return make


def named(kind: Any, widths: Widths) -> Family:
    """The family of a class that names its widths."""

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
