"""Whole searches with rungs and without them, in turns: what rungs save and cost where the sampler
learns from what they leave.

    python studies/stopping/live.py digits 64 20 3k 0 10       # the last two: the seeds from, to
    python studies/stopping/live.py glyphs 64 10 20k 0 3

The two of a pair have one seed, so the same teacher and the same first generation; later ones
differ, since a sampler that is told of fewer students proposes others. The best three are
compared as in `replay.py`.
"""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from unseen import test_accuracies, test_examples, unseen_hypervolume

from nas_kd.costs.budgets import parse_budgets
from nas_kd.driver.drive import drive
from nas_kd.driver.options import RunOptions
from nas_kd.front import by_accuracy, hypervolume
from nas_kd.spec import StudySpec
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import read_study


@dataclass(frozen=True)
class Ended:
    """What a search found, and what it took."""

    epochs: int
    hypervolume: float
    unseen: float
    """The same on the test split."""
    best: tuple[float, ...]
    """The three most accurate students' accuracies."""
    examples: int


def searched(data: str, trials: int, epochs: int, budget: str, seed: int, **rule: object) -> Ended:
    """Run one search with two workers."""
    spec = StudySpec.create({
        "budget": budget, "data": data, "trials": trials, "epochs": epochs, "seed": seed, **rule,
    })  # fmt: skip
    (bound,) = (asked.bound for asked in parse_budgets(spec.budget))
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "study"
        drive(spec, RunOptions(folder, 2), lambda event: None)
        view = read_study(StudyFolder(folder))
        tested, tests = test_accuracies(view), test_examples(view)
    points, chance = [p for p in view.points if p.trial in tested], view.facts["chance"]
    return Ended(
        sum(row.rungs[-1][0] for row in view.rows if row.rungs),
        hypervolume(points, bound, chance, view.examples),
        unseen_hypervolume(points, tested, bound, chance, tests),
        tuple(point.accuracy for point in by_accuracy(points)[:3]),
        view.examples,
    )


def same(mine: tuple[float, ...], top: tuple[float, ...], examples: int) -> bool:
    """Whether the best three are as good, or within one standard error."""
    error = (top[0] * (1 - top[0]) / examples) ** 0.5
    return all(m >= t - error for m, t in zip(mine, top, strict=True))


data, budget = sys.argv[1], sys.argv[4]
trials, epochs, first, end = (int(sys.argv[place]) for place in (2, 3, 5, 6))
ratios, unseen, shares, kept = [], [], [], []
for seed in range(first, end):
    short = searched(data, trials, epochs, budget, seed)
    full = searched(data, trials, epochs, budget, seed, rungs=[])
    ratios.append(short.hypervolume / full.hypervolume)
    unseen.append(short.unseen / full.unseen)
    shares.append(short.epochs / full.epochs)
    kept.append(same(short.best, full.best, full.examples))
    print(json.dumps({
        "seed": seed, "epochs": [short.epochs, full.epochs], "share": round(shares[-1], 4),
        "hypervolume": [round(short.hypervolume, 4), round(full.hypervolume, 4)],
        "kept": [round(ratios[-1], 4), round(unseen[-1], 4)],
        "best": [short.best, full.best], "same": kept[-1],
    }), flush=True)  # fmt: skip
print(f"epochs {mean(shares):.1%} (most {max(shares):.1%}); best three {sum(kept)} of {len(kept)}")
for split, values in (("validation", ratios), ("test", unseen)):
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0
    print(f"hypervolume on the {split} split {mean(values):.2%} +- {error:.2%}")
