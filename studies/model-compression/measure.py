"""An ensemble of scikit-learn's classifiers in a tiny MLP, with and without synthetic rows.

    python studies/model-compression/measure.py [digits letter] [--short]

letter wants letter.csv in the working folder (README.md).
"""

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from common import keep, measured, options

BUDGETS = {"digits": "1k", "letter": "3k"}
MEMBERS = ("forest", "boosted", "neighbours")
EPOCHS = {"digits": (60, 20), "letter": (30, 10)}
"""Of the arms without synthetic rows and with two for each row, so that all take as many steps."""

STUDENT: dict[str, Any] = {
    "family": "mlp", "width": 1.0, "batch": 32, "generation": 8, "depth": (1, 2),
}  # fmt: skip


def arms(part: str) -> dict[str, dict[str, Any]]:
    """Alone, distilled on the train split, and with synthetic rows beside it."""
    plain, mixed = EPOCHS[part]
    teacher = "+".join(f"ensembles:{part}_{name}" for name in MEMBERS)
    same = STUDENT | {"data": f"ensembles:{part}", "layout": "table", "teacher": teacher}
    same["batch"] = 32 if part == "digits" else 128
    taught = {"alpha": (0.5, 1.0), "trials": 16}
    return {
        "alone": same | {"alpha": 0.0, "trials": 8, "epochs": plain},
        "distilled": same | taught | {"epochs": plain},
        "munge": same | taught | {"epochs": mixed, "munge": 2},
    }


if __name__ == "__main__":
    given = options("model-compression")
    for part in given.which or (["digits"] if given.short else BUDGETS):
        chosen = arms(part)
        if given.short:
            fast = "+".join(f"ensembles:{part}_{name}" for name in MEMBERS if name != "boosted")
            chosen = {name: arm | {"teacher": fast} for name, arm in chosen.items()
                      if name != "distilled"}  # fmt: skip
        found = measured(given, part, BUDGETS[part], chosen)
        keep(given, Path(__file__).parent, {part: found})
