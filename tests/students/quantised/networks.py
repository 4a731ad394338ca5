"""Networks whose norms have seen examples, and their programs, for tests of 8-bit students."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
import torch
from _pytest.mark.structures import ParameterSet
from torch import Tensor, nn

from nas_kd.costs.budgets import Shape, parse_budgets
from nas_kd.students import FAMILIES, build
from nas_kd.students.decode import decode
from nas_kd.students.family import StudentConfig
from nas_kd.students.quantised import Program, lowered, planned, ranges_of

SHAPES: tuple[Shape, ...] = ((3, 16, 16), (1, 9, 7), (2, 60), (17,))
"""Pictures, signals and a table."""

MEAN, STD = 120.0, 60.0
"""Of the examples that are drawn."""

CLASSES = 5


def configs(shapes: tuple[Shape, ...] = SHAPES) -> Iterator[StudentConfig]:
    """A student of every family, with every option, for every shape that it takes."""
    for shape in shapes:
        for name in ("cnn", "mlp", "mobilenet", "resnet"):
            family = FAMILIES[name]
            if len(shape) - 1 not in family.sides:
                continue
            for chosen in product(*family.options.values()):
                sample = {"family": name, "depth": 4, "width": 1.0, "taper": 1.3, "bits": 8}
                sample |= dict(zip(family.options, chosen, strict=True))
                yield decode(sample, parse_budgets(("4k",)), shape, CLASSES)


SMALL: tuple[Shape, ...] = ((1, 9, 7), (17,))
"""Shapes of the default tests; the slow ones have all."""


def every() -> Iterator[ParameterSet]:
    """A parameter for each student; those of larger shapes are slow."""
    for config in configs():
        marks = [] if config.input_shape in SMALL else [pytest.mark.slow]
        yield pytest.param(config, id=named(config), marks=marks)


def named(config: StudentConfig) -> str:
    """What a test of a student is called."""
    return f"{config.name()} {'x'.join(map(str, config.input_shape))}"


def drawn(shape: Shape, count: int) -> Tensor:
    """Examples [count, *shape] as they are stored: bytes of pictures, floats of others; of another
    brightness each, so that answers differ."""
    each = (count, *[1] * len(shape))
    examples = MEAN + STD * torch.randn(count, *shape) + STD * torch.randn(each)
    return examples.clamp(0, 255).to(torch.uint8) if len(shape) == 3 else examples


def normalised(examples: Tensor) -> Tensor:
    """With mean 0 and deviation 1."""
    return (examples.float() - MEAN) / STD


def settled(network: nn.Module, shape: Shape) -> nn.Module:
    """A network whose norms have seen examples, in eval mode."""
    network.train()
    with torch.no_grad():
        for _ in range(5):
            network(normalised(drawn(shape, 64)))
    return network.eval()


def made(config: StudentConfig) -> nn.Module:
    """A student whose norms have seen examples."""
    return settled(build(replace(config)), config.input_shape)


def program_of(network: nn.Module, shape: Shape) -> Program:
    """A network in integers."""
    plan = planned(network, shape)
    ranges = ranges_of(plan, [normalised(drawn(shape, 256))])
    return lowered(plan, ranges, (MEAN,) * shape[0], (STD,) * shape[0])
