"""Who teaches best: every scheme at one student and equal epochs.

    python studies/schemes/measure.py [glyphs cifar] [--short]

cifar wants the folder cifar10-subset in the working folder (README.md); the short form has digits.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from common import keep, measured, options

SAME: dict[str, Any] = {
    "family": "cnn", "taper": 1.2, "width": 1.0, "trials": 6, "generation": 6, "rungs": [],
}  # fmt: skip

PARTS: dict[str, dict[str, Any]] = {
    "glyphs": {"data": "glyphs_2000:labelled", "depth": 4, "epochs": 10, "teacher": "train:32"},
    "cifar": {
        "data": "imagefolder:cifar10-subset", "views": 4, "depth": 5, "epochs": 6,
        "teacher": "train:32", "teacher_epochs": 40,
    },
}  # fmt: skip
BUDGET = {"glyphs": "5k", "cifar": "20k", "digits": "2k"}

SHORT: dict[str, Any] = {"data": "digits", "depth": 2, "teacher": "train:4", "teacher_epochs": 2}

SCHEMES: dict[str, dict[str, Any]] = {
    "offline": {},
    "online": {"scheme": "online"},
    "co-teacher": {"scheme": "online", "co_teacher": "cnn"},
    "self": {"scheme": "self"},
    "exits": {"scheme": "exits"},
}
"""Each chooses alpha, T and the learning rate with equal trials; all have the same epochs of the
student, those of `self` in two rounds."""


def arms(settings: dict[str, Any], schemes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Alone, and each scheme. Only offline has a fixed teacher."""
    own = {name for name in settings if name.startswith("teacher")}
    bare = {name: value for name, value in settings.items() if name not in own}
    taught = {
        name: (settings if name == "offline" else bare) | scheme | {"alpha": (0.3, 0.95)}
        for name, scheme in schemes.items()
    }
    return {"alone": settings | {"alpha": 0.0}} | taught


if __name__ == "__main__":
    given = options("schemes")
    for part in given.which or (["digits"] if given.short else PARTS):
        settings = SAME | (SHORT if given.short else PARTS[part])
        schemes = SCHEMES if not given.short else {n: SCHEMES[n] for n in ("offline", "online")}
        chosen = arms(settings, schemes)
        pairs = [(name, "offline") for name in chosen if name != "offline"]
        found = measured(given, part, BUDGET[part], chosen, pairs)
        keep(given, Path(__file__).parent, {part: found})
