"""What 8 bits are worth: searches within the same bytes of flash, in 8 bits, in 32 and in both.

    python studies/quantised/measure.py [mnist-5kB mnist-20kB glyphs-5kB glyphs-20kB] [--short]

MNIST lies in ./data; the short form has digits.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from common import keep, measured, options

SAME: dict[str, Any] = {
    "family": "cnn", "trials": 8, "generation": 8, "epochs": 5, "rungs": [], "depth": (3, 5),
}  # fmt: skip

PARTS: dict[str, tuple[str, str]] = {
    f"{data}-{budget}": (data, budget) for data in ("mnist", "glyphs") for budget in ("5kB", "20kB")
}

SEEDS = {"mnist": 3, "glyphs": 1, "digits": 2}

ARMS: dict[str, dict[str, Any]] = {
    "8 bits": {"bits": 8},
    "32 bits": {"bits": 32},
    "both": {"bits": (8, 32)},
    "8 bits, trained with rounding": {"bits": 8, "qat": True},
}
"""The first two are what a bound in bytes can be spent on; the last is quantisation-aware."""

PAIRS = (("8 bits", "32 bits"), ("both", "8 bits"), ("8 bits, trained with rounding", "8 bits"))

if __name__ == "__main__":
    given = options("quantised")
    parts = {"digits-2kB": ("digits", "2kB")} if given.short else PARTS
    for part in given.which or parts:
        data, budget = parts[part]
        given.seeds = SEEDS[data]
        more = {"teacher": "train:4", "teacher_epochs": 2} if given.short else {}
        arms = {name: SAME | {"data": data} | arm | more for name, arm in ARMS.items()}
        keep(given, Path(__file__).parent, {part: measured(given, part, budget, arms, PAIRS)})
