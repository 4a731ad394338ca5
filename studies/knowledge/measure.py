"""Every knowledge term at one student and one budget, on the CIFAR-10 subset.

    python studies/knowledge/measure.py [--short]

wants the folder cifar10-subset in the working folder (README.md); the short form takes digits.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from common import keep, measured, options

from nas_kd import KNOWLEDGE

BUDGET = "20k"

COMMON: dict[str, Any] = {
    "data": "imagefolder:cifar10-subset", "views": 4, "teacher": "train:32",
    "teacher_epochs": 40, "family": "cnn", "depth": 5, "taper": 1.2, "width": 1.0, "trials": 6,
    "generation": 6, "epochs": 5, "rungs": [],
}  # fmt: skip
"""One student, the largest cnn that fits. Each arm chooses alpha, T and the learning rate, and a
term its own weights, with equal trials."""

SHORT: dict[str, Any] = {
    "data": "digits", "teacher": "train:4", "teacher_epochs": 2, "depth": 2,
}  # fmt: skip
QUICK = ("kl", "dkd", "fitnet")
"""The terms of the short form: of answers, with weights of its own, and of layers."""


def arms(short: bool) -> dict[str, dict[str, Any]]:
    """Alone, and each term."""
    same = COMMON | (SHORT if short else {})
    terms = QUICK if short else tuple(KNOWLEDGE)
    taught = {term: same | {"knowledge": term, "alpha": (0.3, 0.95)} for term in terms}
    return {"alone": same | {"alpha": 0.0}} | taught


if __name__ == "__main__":
    given = options("knowledge")
    chosen = arms(given.short)
    pairs = [("kl", "alone"), *((term, "kl") for term in chosen if term not in ("kl", "alone"))]
    found = measured(given, "terms", BUDGET, chosen, pairs)
    keep(given, Path(__file__).parent, {"terms": found})
