"""What the studies of teachers and transfer sets share: arms that are searched, each by validation
alone, then trained anew with the same seeds, scored on the test split and compared in pairs.

Run again, a study takes all that is there.
"""

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

import torch

from nas_kd.api import Study, search
from nas_kd.confirm.against import Against
from nas_kd.intervals import Estimate

SHORT: dict[str, Any] = {"trials": 2, "generation": 2, "epochs": 1, "rungs": []}
"""The settings of a short form, which shows that a study runs and tells nothing else."""


def options(folder: str) -> argparse.Namespace:
    """What is said to a study: where its searches lie, their workers, and whether it is short."""
    parser = argparse.ArgumentParser()
    parser.add_argument("which", nargs="*")
    parser.add_argument("--short", action="store_true", help="half a minute, tells nothing")
    parser.add_argument("--place", default=f"runs/{folder}")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    if given.short:
        given.place, given.seeds, given.workers = f"{given.place}-short", 2, 0
        shutil.rmtree(given.place, ignore_errors=True)
    own = Path(sys.argv[0]).resolve().parent
    sys.path += [str(own), str(own.parent)]
    os.environ["PYTHONPATH"] = ":".join((*sys.path[-2:], os.environ.get("PYTHONPATH", "")))
    return given


def points(found: Estimate | None) -> list[float] | None:
    """Mean and ends of an interval, in points of a hundred."""
    return found and [round(100 * x, 2) for x in (found.mean, found.low, found.high)]


Pair = tuple[str, str]
"""Two arms, the first of which is compared with the second."""


def measured(
    given: argparse.Namespace,
    name: str,
    budget: str,
    arms: Mapping[str, Mapping[str, Any]],
    pairs: Iterable[Pair] | None = None,
    epochs: int | None = None,
) -> dict[str, Any]:
    """Every arm's best student on the test split, and the differences of all pairs, or of these, in
    points with their 95% intervals over seeds and examples; trained anew for so many epochs, or
    three times those of the search."""
    place = Path(given.place) / name
    short = SHORT if given.short else {}
    studies = {
        arm: search(budget, study=place / arm, quiet=True, workers=given.workers, trust=True,
                    **{**settings, **short})
        for arm, settings in arms.items()
    }  # fmt: skip
    found: dict[str, Any] = {"arms": {arm: searched(one) for arm, one in studies.items()}}
    for one, other in combinations(arms, 2) if pairs is None else pairs:
        result = studies[one].against(
            studies[other], seeds=given.seeds, epochs=None if given.short else epochs,
            workers=given.workers, trust=True, quiet=True,
        )  # fmt: skip
        add(found, (one, other), result)
    return found | {"budget": budget, "seeds": given.seeds}


def searched(study: Study) -> dict[str, Any]:
    """What an arm's search found."""
    best, view = study.best, study._view
    return {
        "student": best.config.name(),
        "parameters": best.costs["parameters"],
        "trials": len(view.rows),
        "epochs": view.epochs,
        "examples": view.facts["data"],
        "settings": {name: round(value, 4) if isinstance(value, float) else value
                     for name, value in best.settings.items()},
        "validation": best.accuracy,
    }  # fmt: skip


def add(found: dict[str, Any], arms: tuple[str, str], result: Against) -> None:
    """Add a comparison of two arms."""
    pairs = zip(arms, result.students, result.teachers, result.epochs, strict=True)
    for arm, student, teacher, epochs in pairs:
        facts = {"test": points(student.reached), "teacher": teacher, "confirmed_epochs": epochs}
        found["arms"][arm] |= facts
    found["test_examples"] = result.examples
    found.setdefault("differences", {})[" minus ".join(arms)] = points(result.difference)


def keep(given: argparse.Namespace, folder: Path, results: Mapping[str, Any]) -> None:
    """Write what was found, beside what was found before, and print it."""
    path = (Path(given.place) if given.short else folder) / "result.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    facts = {
        **before,
        **results,
        "versions": {name: version(name) for name in ("nas-kd", "torch", "optuna", "scikit-learn")}
        | {"python": platform.python_version()},
        "processor": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
    }
    path.write_text(json.dumps(facts, indent=1) + "\n")
    for name, one in results.items():
        print(name, *lines(one), sep="\n  ")


def lines(found: Mapping[str, Any]) -> Iterable[str]:
    """A result as people read it."""
    for arm, facts in found["arms"].items():
        yield f"{arm}: {facts['student']}, {facts['parameters']:,} parameters, {facts['test']}"
    for pair, difference in found["differences"].items():
        yield f"{pair}: {difference}"
