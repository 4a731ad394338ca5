"""From a sample to a student that fits every budget, by construction.

A sample's `width` is a share of the widest student that fits at its family, depth and taper, so
no sample has to be rejected and every family uses the same share of the budget.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import ceil
from typing import Any

import torch
from torch import fx, nn

from nas_kd.costs.budgets import COSTS, LATENCY, WHOLE, Budget, Counts, Shape
from nas_kd.costs.counting import counted, folded, measure
from nas_kd.errors import BudgetTooSmall, CountsDisagree, Unusable
from nas_kd.students import FAMILIES, build
from nas_kd.students.family import TEACHER, Option, StudentConfig, tapered
from nas_kd.students.latency import Latency, remembered

KINDS = {0: "tables [F]", 1: "signals [C, L]", 2: "pictures [C, H, W]"}
"""Examples in words, by how many sides they have."""

NO_OPTIONS: Mapping[str, Option] = {}


def decode(
    sample: Mapping[str, Any],
    budgets: Sequence[Budget],
    input_shape: Shape,
    classes: int,
    multiple_of: int = 1,
) -> StudentConfig:
    """The student of a sample: never over any budget, and at width 1 as large as can be.

    `sample` has `family`, `depth`, `width` in (0, 1] and `taper`, and may have `bits` and options
    of its family; other entries are ignored. At width 1 no block can grow by another `multiple_of`
    channels, unless a budget is measured. A student that starts from its teacher's weights is the
    whole network, whether it fits or not. Raises BudgetTooSmall naming the smallest student,
    UnknownName for the family, Unusable for examples that the family cannot take, CountsDisagree
    for one that miscounts.
    """
    family, depth, taper = sample["family"], int(sample["depth"]), float(sample["taper"])
    options = chosen(family, sample)
    bits = int(sample.get("bits", WHOLE))
    least = smallest(family, depth, input_shape, classes, multiple_of, options, bits)
    if not fits(least, budgets):
        raise BudgetTooSmall(join(budgets), ((family, costs(least, budgets)),))
    count = len(least.channels)
    if sample.get("weights") == TEACHER:
        deepest, width = FAMILIES[family].default_depth, FAMILIES[family].whole
        assert width is not None, "only a network that is made narrower has this sample"
        return replace(least, depth=deepest, channels=(width,), options={"weights": TEACHER})

    def student(base: float) -> StudentConfig:
        return replace(least, channels=tapered(count, base, taper, multiple_of))

    widest = bisect(student, budgets)
    if sample["width"] < 1:
        base = widest * sample["width"]
        while not fits(config := student(base), budgets):
            base *= 0.99  # a narrower one can cost more: equal widths need no 1x1 shortcut
    elif timed(budgets):
        config = student(widest)  # a channel more is less than the measurement can tell
    else:
        config = fill(student(widest), budgets, multiple_of)
    verify(config, budgets)
    return config


def chosen(family: str, sample: Mapping[str, Any]) -> dict[str, Option]:
    """The options of a sample that are not its family's usual ones, and the settings that the
    family reads."""
    part = FAMILIES[family]
    unusual = {n: sample[n] for n, v in part.options.items() if sample.get(n, v[0]) != v[0]}
    return unusual | {n: sample[n] for n in part.settings if n in sample}


def smallest(
    family: str,
    depth: int,
    input_shape: Shape,
    classes: int,
    multiple_of: int = 1,
    options: Mapping[str, Option] = NO_OPTIONS,
    bits: int = WHOLE,
) -> StudentConfig:
    """The smallest student of a family at a depth. Raises Unusable for examples it cannot take."""
    expect(family, input_shape)
    channels = (multiple_of,) * FAMILIES[family].stages(depth)
    shape = tuple(input_shape)
    return StudentConfig(family, shape, classes, depth, channels, bits, options)


def expect(family: str, input_shape: Shape) -> None:
    """Raise Unusable unless the family takes examples of this shape."""
    takes = FAMILIES[family].sides
    if len(input_shape) - 1 not in takes:
        words = " and ".join(KINDS[sides] for sides in sorted(takes))
        fitting = [n for n, f in FAMILIES.items() if len(input_shape) - 1 in f.sides]
        wrong = f"takes {words}, not {KINDS[len(input_shape) - 1]}"
        raise Unusable(f"family {family!r}", wrong, f"Say --family {' or '.join(fitting)}.")


def join(budgets: Sequence[Budget]) -> str:
    """The budgets in words."""
    return " and ".join(map(str, budgets))


def counts(config: StudentConfig) -> Counts:
    """The counts of a student, in closed form where its family has one."""
    closed = FAMILIES[config.family].counts
    return closed(config) if closed else _measured(config.to_json())


def cost(config: StudentConfig, budget: Budget) -> int:
    """What a student costs, in the budget's unit; up to a whole microsecond."""
    if budget.cost == LATENCY:
        return ceil(latency(config).median)
    return COSTS[budget.cost](counts(config), config.bits)


def costs(config: StudentConfig, budgets: Sequence[Budget]) -> str:
    """What a student costs of every budget, in words."""
    return ", ".join(f"{cost(config, budget):,} {budget.cost}" for budget in budgets)


def latency(config: StudentConfig) -> Latency:
    """How long a student takes on this machine, measured once."""
    key = f"{config.key()} {counts(config)}"  # the same class can have been changed
    return remembered(key, lambda: build(config), config.input_shape)


def fits(config: StudentConfig, budgets: Sequence[Budget]) -> bool:
    """Whether the student is within every budget; what takes longer to know is asked last."""
    ordered = sorted(budgets, key=lambda budget: budget.cost == LATENCY)
    return all(cost(config, budget) <= budget.bound for budget in ordered)


def timed(budgets: Sequence[Budget]) -> bool:
    """Whether a budget is measured, so that no student is sure to a channel."""
    return any(budget.cost == LATENCY for budget in budgets)


EXACT, MEASURED = 1e-6, 0.02
"""How near to the widest that fits a base width is found, by counting and by measuring."""


WIDEST = 2**20
"""Channels; what costs no more at twice as many does not depend on its widths."""


def bisect(student: Any, budgets: Sequence[Budget]) -> float:
    """The widest base width at which the student fits, to one part in a million, or in fifty where
    a budget is measured."""
    low, high = 0.0, 1.0
    near = MEASURED if timed(budgets) else EXACT
    while fits(one := student(high), budgets):
        if high > WIDEST and all(cost(student(2 * high), b) == cost(one, b) for b in budgets):
            wrong = f"is within the budget at any width: with {one.label()} channels too"
            right = "It must be built from its widths."
            raise Unusable(f"family {one.family!r}", wrong, right)
        low, high = high, 2 * high
    while high - low > near * high:
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
def _measured(text: str) -> Counts:
    config = StudentConfig.from_json(text)
    try:
        return counted(_built(text), config.input_shape)
    except (
        TypeError, RuntimeError, ValueError, AttributeError, AssertionError, fx.proxy.TraceError
    ) as error:  # fmt: skip
        right = "It must be built from its widths, and its path must not depend on values."
        wrong = f"cannot be built and counted ({type(error).__name__}: {error})"
        raise Unusable(f"family {config.family!r}", wrong, right) from error


@lru_cache(maxsize=4096)
def _computed(text: str) -> tuple[int, int, int, int]:
    network = _built(text)
    return *measure(network, StudentConfig.from_json(text).input_shape), *folded(network)


def _built(text: str) -> nn.Module:
    with torch.device("meta"):
        return build(StudentConfig.from_json(text))


def verify(config: StudentConfig, budgets: Sequence[Budget]) -> None:
    """Raise CountsDisagree unless the closed form equals what the network itself counts.

    Memory, which takes longer to count, is compared where a budget bounds it.
    """
    if FAMILIES[config.family].counts is None:
        return
    closed, text = counts(config), config.to_json()
    if any(budget.cost == "ram" for budget in budgets):
        built = _measured(text)
    else:
        built = Counts(*_computed(text), closed.activations, closed.activations_int8)
    if closed != built:
        raise CountsDisagree(config.family, config.label(), str(closed), str(built))
