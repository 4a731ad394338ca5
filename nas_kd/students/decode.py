"""From a sample to a student that fits every budget, by construction.

A sample's `width` is a share of the widest student that fits at its family, depth and taper, so
no sample has to be rejected and every family uses the same share of the budget.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch

from nas_kd.costs import COSTS, Budget, Counts, Shape
from nas_kd.counting import measure
from nas_kd.errors import BudgetTooSmall, CountsDisagree
from nas_kd.students import FAMILIES, build
from nas_kd.students.family import StudentConfig, tapered


def decode(
    sample: Mapping[str, Any],
    budgets: Sequence[Budget],
    input_shape: Shape,
    classes: int,
    multiple_of: int = 1,
) -> StudentConfig:
    """The student of a sample: never over any budget, and at width 1 as large as can be.

    `sample` has `family`, `depth`, `width` in (0, 1] and `taper`; other entries are ignored. At
    width 1 no block can grow by another `multiple_of` channels. Raises BudgetTooSmall naming the
    smallest student, UnknownName for the family, CountsDisagree for a family that miscounts.
    """
    family, depth, taper = sample["family"], int(sample["depth"]), float(sample["taper"])
    least = smallest(family, depth, input_shape, classes, multiple_of)
    if not fits(least, budgets):
        raise BudgetTooSmall(join(budgets), ((family, str(cost(least, budgets[0]))),))
    count = len(least.channels)

    def student(base: float) -> StudentConfig:
        return replace(least, channels=tapered(count, base, taper, multiple_of))

    widest = bisect(student, budgets)
    if sample["width"] < 1:
        config = student(widest * sample["width"])
    else:
        config = fill(student(widest), budgets, multiple_of)
    verify(config)
    return config


def smallest(
    family: str, depth: int, input_shape: Shape, classes: int, multiple_of: int = 1
) -> StudentConfig:
    """The smallest student of a family at a depth."""
    channels = (multiple_of,) * FAMILIES[family].stages(depth)
    return StudentConfig(family, tuple(input_shape), classes, depth, channels)


def join(budgets: Sequence[Budget]) -> str:
    """The budgets in words."""
    return " and ".join(map(str, budgets))


def counts(config: StudentConfig) -> Counts:
    """The counts of a student, in closed form."""
    return FAMILIES[config.family].counts(config)


def cost(config: StudentConfig, budget: Budget) -> int:
    """What a student costs, in the budget's unit."""
    return COSTS[budget.cost](counts(config), config.bits)


def fits(config: StudentConfig, budgets: Sequence[Budget]) -> bool:
    """Whether the student is within every budget."""
    size = counts(config)
    return all(budget.holds(size, config.bits) for budget in budgets)


def bisect(student: Any, budgets: Sequence[Budget]) -> float:
    """The widest base width, to one part in a million, at which the student fits."""
    low, high = 0.0, 1.0
    while fits(student(high), budgets):
        low, high = high, 2 * high
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if fits(student(middle), budgets) else (low, middle)
    return low


def larger(config: StudentConfig, multiple_of: int) -> Iterator[StudentConfig]:
    """Each next larger neighbour: one block or stage wider by one step, the last first."""
    for stage in reversed(range(len(config.channels))):
        channels = list(config.channels)
        channels[stage] += multiple_of
        yield replace(config, channels=tuple(channels))


def fill(config: StudentConfig, budgets: Sequence[Budget], multiple_of: int) -> StudentConfig:
    """Give the remainder to the blocks that can still grow, the costliest step that fits first."""
    while grown := [n for n in larger(config, multiple_of) if fits(n, budgets)]:
        config = max(grown, key=lambda neighbour: cost(neighbour, budgets[0]))
    return config


@lru_cache(maxsize=4096)
def _measured(text: str) -> tuple[int, int]:
    config = StudentConfig.from_json(text)
    with torch.device("meta"):
        network = build(config)
    return measure(network, config.input_shape)


def verify(config: StudentConfig) -> None:
    """Raise CountsDisagree unless the closed form equals what the network itself counts."""
    closed = counts(config)
    parameters, macs = _measured(config.to_json())
    if (closed.parameters, closed.macs) != (parameters, macs):
        raise CountsDisagree(
            config.family,
            config.label(),
            f"{closed.parameters} parameters and {closed.macs} MACs",
            f"{parameters} and {macs}",
        )
