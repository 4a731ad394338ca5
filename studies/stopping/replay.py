"""What the stopper saves and what it costs, replayed on recorded learning curves.

    python studies/stopping/replay.py table resnet-cifar100-kd.csv
    python studies/stopping/replay.py curves studies/stopping/*.json

`table` is a table of trained networks without learning curves: what a network reached alone
stands for its accuracy at the rungs, and what it reached with it is the end. `curves` were
recorded by `record.py`. Each of 100 seeds draws 64 trials in an order of its own, cut into
generations of 16, and compares what the stopper keeps with everything; the first six of `curves`
are the fixed ones, which come first and are never stopped. Every rule is replayed on the same
orders; the default one is marked.
"""

import csv
import json
import random
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import mean, median

from nas_kd.driver.stopper import LEADERS, survivors
from nas_kd.front import Point, best, floored, hypervolume
from nas_kd.spec import StudySpec

SEEDS, TRIALS, GENERATION, STEADY = 100, 64, 16, 6
DEFAULT = StudySpec.create({"budget": "20k", "epochs": 10})


@dataclass(frozen=True)
class Rule:
    """When trials are compared, and how many go on."""

    tenths: tuple[float, ...]
    eta: float
    leaders: int = LEADERS
    """Of the most accurate, at the first rung."""
    more: int = 1
    """How many more of them at each further rung."""
    rise: float = 0
    """How much greater eta is at each further rung."""
    floor: bool = True
    """Whether no cost is seen below a tenth of the budget."""

    def __str__(self) -> str:
        is_default = self == Rule(DEFAULT.rungs, DEFAULT.eta)
        place = ", ".join(
            f".{tenth}, 1 of {self.eta + self.rise * rung:g} and {self.leaders + self.more * rung}"
            for rung, tenth in enumerate(self.tenths)
        )
        seen = "" if self.floor else "; every cost seen"
        return f"{'*' if is_default else ' '} at {place}{seen}"


RULES = [
    Rule((2, 4), 3, 1, 0, floor=False),
    Rule((2, 4), 3, 1, 0),
    Rule((1, 3, 6), 2.5, 1, 0),
    Rule((1, 3, 6), 2, 1, 0, 1),
    Rule((1, 3, 6), 2, 1, 1, 1),
    Rule((1, 3, 6), 2, 2, 0, 1),
    Rule((1, 3, 6), 2.5, 2, 0),
    Rule((1, 3, 6), 2.5, 4, 0),
    Rule((1, 3, 6), 3, 2, 0),
    Rule((1, 3, 6), 3, 2, 1),
    Rule((1, 3, 6), 3, 3, 0),
    Rule((1, 3, 6), 3, 3, 1),
    Rule((1, 3, 6), 3.5, 3, 0),
    Rule((1, 3, 6), 4, 3, 0),
    Rule((1, 2, 5), 3, 2, 1),
    Rule((1, 3, 5), 3, 2, 1),
]


@dataclass(frozen=True)
class Curve:
    """A network's cost, its accuracy after each epoch."""

    cost: float
    accuracies: list[float]


def replay(
    curves: list[Curve], rule: Rule, budget: float, steady: int
) -> tuple[list[Point], float]:
    """Finished points and the share of epochs that was spent."""
    epochs = len(curves[0].accuracies)
    stops = [*sorted({ceil(tenth * epochs / 10) for tenth in rule.tenths} - {epochs}), epochs]
    history: list[list[Point]] = [[] for _ in stops]
    done, spent = [], 0
    for first in range(0, len(curves), GENERATION):
        live = list(range(first, min(first + GENERATION, len(curves))))
        for rung, stop in enumerate(stops):
            spent += (stop - (stops[rung - 1] if rung else 0)) * len(live)
            if stop == epochs:
                done += [Point(n, curves[n].accuracies[-1], curves[n].cost) for n in live]
                break
            points = [
                Point(n, curves[n].accuracies[stop - 1],
                      floored(curves[n].cost, budget) if rule.floor else curves[n].cost)
                for n in live
            ]  # fmt: skip
            on = survivors(points, history[rung], rule.eta + rule.rise * rung,
                           rule.leaders + rule.more * rung)  # fmt: skip
            history[rung] += points
            live = [n for n in live if n in on or n < steady]
    return done, spent / len(curves) / epochs


def compare(draw, chance: float, examples: int, steady: int) -> None:
    """Print medians over seeds; `draw(random)` gives the curves of one seed."""
    print("  epochs (most)   hypervolume (least)   best three   regret")
    for rule in RULES:
        rows = []
        for seed in range(SEEDS):
            curves = draw(random.Random(seed))
            full = [Point(n, curve.accuracies[-1], curve.cost) for n, curve in enumerate(curves)]
            budget = max(p.cost for p in full)
            kept, spent = replay(curves, rule, budget, steady)
            volumes = [hypervolume(points, budget, chance, examples) for points in (kept, full)]
            top = sorted((p.accuracy for p in full), reverse=True)[:3]
            mine = sorted((p.accuracy for p in kept), reverse=True)[:3]
            error = (top[0] * (1 - top[0]) / examples) ** 0.5
            same = len(mine) == 3 and all(m >= t - error for m, t in zip(mine, top, strict=True))
            regret = best(full).accuracy - best(kept).accuracy
            rows.append((spent, volumes[0] / volumes[1], same, regret))
        spent, volume, same, regret = zip(*rows, strict=True)
        print(f"  {median(spent):.1%} ({max(spent):.1%})   {median(volume):.2%} ({min(volume):.1%})"
              f"   {mean(same):4.0%}   {100 * mean(regret):.2f}  {rule}")  # fmt: skip


def table(path: str) -> None:
    """The table of trained nets."""
    nets = []
    for row in csv.DictReader(Path(path).read_text().splitlines()):
        alone, taught = (float(row[f"accuracy_{how}"]) / 100 for how in ("alone", "distilled"))
        nets.append(Curve(float(row["parameters"]), [alone] * 9 + [taught]))
    print(f"{Path(path).name}: {TRIALS} of {len(nets)} nets, {SEEDS} seeds")
    compare(lambda source: source.sample(nets, TRIALS), 0.01, 10_000, 0)


def curves(paths: list[str]) -> None:
    """Recorded curves of our own."""
    for path in paths:
        facts = json.loads(Path(path).read_text())
        every = [Curve(cost, accuracies) for cost, accuracies, *_ in facts["curves"]]
        first, rest = every[:STEADY], every[STEADY:]
        print(f"{facts['name']}: {len(every)} recorded students, {SEEDS} orders")
        compare(lambda source, first=first, rest=rest: first + source.sample(rest, len(rest)),
                facts["chance"], facts["examples"], STEADY)  # fmt: skip


if sys.argv[1] == "table":
    table(sys.argv[2])
else:
    curves(sys.argv[2:])
