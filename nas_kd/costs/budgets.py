"""What a network costs, exactly, and the budgets that bound it.

One MAC is one multiply-accumulate of a convolution or a matrix product for ONE example; biases,
norms and activations are not counted (as in the ResNet and MobileNet papers; tools that print
FLOPs often print twice this). Bytes are what flash holds: weights at their bits, and a bias of
4 bytes a channel, into which norms are folded; in 8 bits a channel has a float multiplier, too. RAM
is what a microcontroller needs beside it: the bytes of all activations that are alive at once, at
the bits of a weight but for logits, which are floats, where elementwise layers work in place; it is
rounded up to whole floats. Microseconds are measured on this machine, not counted
(students/latency.py).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

from nas_kd.errors import UnusableBudget, alike

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """A network's size: parameters, MACs of one example, weights, folded biases, how many numbers
    are in memory at once while it answers one example, at most, and how many bytes those are in 8
    bits.
    """

    parameters: int
    macs: int
    weights: int
    biases: int
    activations: int
    activations_int8: int


WHOLE, QUANTISED = 32, 8
"""Bits of a student's weights."""

FLOAT = 4
"""Bytes of a float32 or an int32."""


def weight_bytes(counts: Counts, bits: int) -> int:
    """What flash holds: weights, and for each channel a bias, and a multiplier if quantised."""
    each = FLOAT if bits == WHOLE else 2 * FLOAT
    return ceil(counts.weights * bits / 8) + each * counts.biases


def whole_floats(size: int) -> int:
    """Bytes, rounded up to floats."""
    return FLOAT * ceil(size / FLOAT)


def ram_bytes(counts: Counts, bits: int) -> int:
    """What memory holds at once, in whole floats."""
    if bits == WHOLE:
        return FLOAT * counts.activations
    return whole_floats(counts.activations_int8)


COSTS: dict[str, Callable[[Counts, int], int]] = {
    "parameters": lambda counts, bits: counts.parameters,
    "macs": lambda counts, bits: counts.macs,
    "bytes": weight_bytes,
    "ram": ram_bytes,
}
"""Each kind of cost that is counted, as a function of the counts and the bits of a weight."""

LATENCY = "microseconds"
"""The kind of cost that is measured."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A bound on one kind of cost: no student costs more than `bound`."""

    cost: str
    bound: float

    def __str__(self) -> str:
        return f"{self.bound:,.0f} {self.cost}"


UNITS = {
    "": ("parameters", 1),
    "params": ("parameters", 1),
    "parameters": ("parameters", 1),
    "macs": ("macs", 1),
    "B": ("bytes", 1),
    "bytes": ("bytes", 1),
    "B flash": ("bytes", 1),
    "B ram": ("ram", 1),
    "us": (LATENCY, 1),
    "ms": (LATENCY, 1000),
}
"""What stands behind a number: the kind of cost, and how many of its units."""
SCALES = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20}
READABLE = (
    "Write 20k (parameters), 5M macs, 200kB or 64KiB (of flash), 16kB ram, 2ms (on this machine), "
    "or 25% (of the teacher's parameters)."
)


LONGEST = 40
"""Letters of a budget."""


def parse_budget(text: str, teacher: int | None = None) -> Budget:
    """Read one budget in natural words; a percentage is of the `teacher`'s parameters.

    Raises UnusableBudget.
    """
    given = f"budget {text if len(text) <= LONGEST else text[:LONGEST] + '...'!r}"
    if len(text) > LONGEST:
        raise UnusableBudget(given, f"has {len(text):,} letters", READABLE)
    text = re.sub(
        r"macs|ram|flash|param", lambda found: found[0].lower(), text, flags=re.IGNORECASE
    )
    match = re.fullmatch(
        r"\s*(\d+\.?\d*|\.\d+)\s*(%|(Ki|Mi|[kKMG])?\s*(\w*(?: ram| flash)?))\s*", text
    )
    if not match:
        raise UnusableBudget(given, "is no positive number with a unit", READABLE)
    number = float(match[1])
    if number <= 0:
        raise UnusableBudget(given, "is not more than zero", READABLE)
    if match[2] == "%":
        if teacher is None:
            raise UnusableBudget(given, "is a share of a teacher that is not known here", READABLE)
        return Budget("parameters", teacher * number / 100)
    bound, unit = number * SCALES[match[3] or ""], match[4]
    if unit not in UNITS:
        meant = alike(unit, tuple(filter(None, UNITS)))
        hint = f"Did you mean {match[1]}{match[3] or ''}{meant}? " if meant else ""
        raise UnusableBudget(given, f"has the unknown unit {unit!r}", hint + READABLE)
    cost, times = UNITS[unit]
    return Budget(cost, bound * times)


def parse_budgets(texts: Sequence[str], teacher: int | None = None) -> tuple[Budget, ...]:
    """All budgets; they hold at once, and the first is the cost axis of the front."""
    budgets = tuple(parse_budget(text, teacher) for text in texts)
    kinds = [budget.cost for budget in budgets]
    if twice := {kind for kind in kinds if kinds.count(kind) > 1}:
        raise UnusableBudget(
            "budgets " + ", ".join(texts), f"bound {min(twice)} twice", "Keep one of each kind."
        )
    if kinds == ["ram"]:
        wrong = "bounds what is in memory at once, not the weights: students could be of any size"
        right = f"Bound them too: --budget 20k --budget '{texts[0]}'."
        raise UnusableBudget(f"budget {texts[0]!r}", wrong, right)
    return budgets
