"""Which of three teachers is best for a tiny student, and does a search over them find it?

python studies/teachers/measure.py [--short]
"""

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from common import keep, measured, options

BUDGET = "850"
TEACHERS = {"small": "train:3", "middle": "train:12", "largest": "train:64"}
STUDENT: dict[str, Any] = {
    "data": "mnist1d", "family": "cnn", "width": 1.0, "taper": 1.0, "depth": 3, "batch": 64,
    "generation": 8, "alpha": (0.5, 1.0), "epochs": 20,
}  # fmt: skip


def arms() -> dict[str, dict[str, Any]]:
    """A student of each teacher, and one whose teacher is searched, with as many trials."""
    one = {name: STUDENT | {"teacher": teacher, "trials": 16} for name, teacher in TEACHERS.items()}
    return one | {"searched": STUDENT | {"teacher": [*TEACHERS.values()], "trials": 16}}


if __name__ == "__main__":
    given = options("teachers")
    chosen = arms()
    if given.short:
        chosen = {name: arm | {"teacher_epochs": 2} for name, arm in chosen.items()
                  if name in ("small", "searched")}  # fmt: skip
    keep(given, Path(__file__).parent, {"mnist1d": measured(given, "mnist1d", BUDGET, chosen)})
