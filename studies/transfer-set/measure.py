"""Does an unlabelled transfer set help a small student, and how small a one?

python studies/transfer-set/measure.py [850 2500 5200 glyphs] [--short]
"""

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from common import keep, measured, options

SIZES = {"850": "850", "2500": "2500", "5200": "5200", "glyphs": "5k"}
"""The budget of each part; glyphs has 2,000 labels, the others are mnist1d."""

STEPS = {"alone": 20, "distilled": 20, "unlabelled": 3}
"""Epochs of a search, so that each arm takes as many steps: it has 3,600 or 28,600 examples."""

GLYPH_STEPS = {"alone": 20, "distilled": 20, "unlabelled": 2}
"""The same of glyphs: 2,000 or 20,000 examples."""


def common(part: str) -> dict[str, Any]:
    """The student, which is one in every arm, and the teacher."""
    same = {"family": "cnn", "width": 1.0, "taper": 1.0, "batch": 64, "generation": 8}
    if part == "glyphs":
        return same | {"depth": 4, "teacher": "train:32"}
    return same | {"data": "mnist1d", "depth": 3, "teacher": "train:32+train:32+train:32"}


def arms(part: str) -> dict[str, dict[str, Any]]:
    """Alone, distilled on the same examples, and with unlabelled ones."""
    epochs = GLYPH_STEPS if part == "glyphs" else STEPS
    taught = {"alpha": (0.5, 1.0), "trials": 12}
    more: dict[str, Any] = {"unlabelled": 25_000}
    plain: dict[str, Any] = {}
    if part == "glyphs":
        more, plain = {"data": "glyphs_2000:with_unlabelled"}, {"data": "glyphs_2000:labelled"}
    every = {
        "alone": {"alpha": 0.0, "trials": 8, **plain},
        "distilled": taught | plain,
        "unlabelled": taught | more,
    }
    return {arm: common(part) | settings | {"epochs": epochs[arm]}
            for arm, settings in every.items()}  # fmt: skip


if __name__ == "__main__":
    given = options("transfer-set")
    for part in given.which or (["850"] if given.short else SIZES):
        chosen = arms(part)
        if given.short:
            chosen = {name: arm | {"teacher": "train:4", "teacher_epochs": 2}
                      for name, arm in chosen.items() if name != "distilled"}  # fmt: skip
            chosen["unlabelled"]["unlabelled"] = 1_000
        found = measured(given, part, SIZES[part], chosen)
        keep(given, Path(__file__).parent, {part: found})
