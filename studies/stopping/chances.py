"""Second chances, which were taken out, and the rules beside them, replayed on recorded curves.

    python studies/stopping/chances.py studies/stopping/*.json [resnet-cifar100-kd.csv]

Generations are stopped at the rungs; after each, stopped students go on from where they were to
their end, those first that promise most for each epoch that is left, until a share of all epochs
so far is spent. What is kept of the hypervolume is told twice: as the validation split sees it, by
which the students are chosen, and as the test split does, which nobody chose by.

A table of trained networks has no learning curves: what a network reached alone stands for its
accuracy at the rungs, nobody is fixed, and the two splits are one.
"""

import csv
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import mean, median

from expected_improvement import LearningCurve, Scale, chosen
from unseen import unseen_hypervolume

from nas_kd.driver.stopper import survivors
from nas_kd.front import Point, floored, hypervolume

ORDERS, GENERATION, STEADY, TENTHS = 100, 16, 6, (1, 3, 6)


@dataclass(frozen=True)
class Rule:
    """What stops a generation, and the share of all epochs up to which stopped students go on."""

    eta: float
    leaders: int
    more: int
    """How many more leaders each further rung has."""
    share: float

    def __str__(self) -> str:
        rule = f"1 of {self.eta:g} and {self.leaders} most accurate, {self.more} more a rung"
        return f"{rule}; chances to {self.share:.0%} of the epochs"


RULES = [
    Rule(6, 1, 0, 0.45),
    Rule(6, 1, 0, 0.49),
    Rule(2.5, 4, 0, 0),
    Rule(3, 4, 0, 0),
    Rule(2.5, 5, 0, 0),
]


@dataclass(frozen=True)
class Recorded:
    """What was recorded of one search: each student's cost, accuracies by epoch, and family."""

    name: str
    chance: float
    examples: int
    curves: tuple[tuple[float, list[float], str], ...]
    unseen: int
    """Examples of the test split."""
    tested: tuple[float, ...]
    """Each student's accuracy on it."""
    steady: int = STEADY
    """So many first ones are fixed, come first and are never stopped."""

    @property
    def scale(self) -> Scale:
        """What its hypervolume is measured in."""
        return Scale(max(cost for cost, _, _ in self.curves), self.chance, self.examples)

    @property
    def stops(self) -> list[int]:
        """Its rungs, and the last epoch."""
        epochs = len(self.curves[0][1])
        return sorted({ceil(tenths * epochs / 10) for tenths in TENTHS} | {epochs})

    def point(self, number: int, epoch: int) -> Point:
        """A student after an epoch, as the stopper sees it."""
        cost, accuracies, _ = self.curves[number]
        return Point(number, accuracies[epoch - 1], floored(cost, self.scale.top))

    def climb(self, number: int, stop: int) -> LearningCurve:
        """A student up to where it ended or was stopped."""
        cost, accuracies, family = self.curves[number]
        rungs = tuple((epoch, accuracies[epoch - 1]) for epoch in self.stops if epoch <= stop)
        return LearningCurve(number, family, cost, rungs)

    def volume(self, numbers: Sequence[int]) -> float:
        """The hypervolume of students that ended."""
        points = [self.point(number, self.stops[-1]) for number in numbers]
        return hypervolume(points, self.scale.top, self.chance, self.examples)

    def unseen_volume(self, numbers: Sequence[int]) -> float:
        """The hypervolume on the test split of the front that the validation split chose."""
        points = [self.point(number, self.stops[-1]) for number in numbers]
        tested = dict(enumerate(self.tested))
        return unseen_hypervolume(points, tested, self.scale.top, self.chance, self.unseen)


def searched(recorded: Recorded, order: Sequence[int], rule: Rule) -> dict[int, int]:
    """Where each student ended or was stopped."""
    came: dict[int, int] = {}
    for first in range(0, len(order), GENERATION):
        live = order[first : first + GENERATION]
        for rung, stop in enumerate(recorded.stops[:-1]):
            before = [recorded.point(n, stop) for n, end in came.items() if end >= stop]
            came |= dict.fromkeys(live, stop)
            leaders = rule.leaders + rule.more * rung
            on = survivors([recorded.point(n, stop) for n in live], before, rule.eta, leaders)
            live = [n for n in live if n in on or n < recorded.steady]
        came |= dict.fromkeys(live, recorded.stops[-1])
        climbs = [recorded.climb(n, came[n]) for n in sorted(came)]
        epochs = recorded.stops[-1]
        ended = [climb for climb in climbs if came[climb.trial] == epochs]
        waiting = [climb for climb in climbs if came[climb.trial] < epochs]
        left = int(rule.share * epochs * len(came)) - sum(came.values())
        going = chosen(ended, waiting, epochs, left, recorded.scale)
        came |= dict.fromkeys(going, epochs)
    return came


def replay(recorded: Recorded, rule: Rule) -> tuple[float, float, float, float, float]:
    """Medians of epochs and hypervolume kept, the least of that, the mean kept on the test split,
    and how often the best three are the same or within one standard error."""
    epochs, everyone = recorded.stops[-1], list(range(len(recorded.curves)))
    steady = everyone[: recorded.steady]
    whole, unseen = recorded.volume(everyone), recorded.unseen_volume(everyone)
    ends = [accuracies[-1] for _, accuracies, _ in recorded.curves]
    top = sorted(ends, reverse=True)[:3]
    error = (top[0] * (1 - top[0]) / recorded.examples) ** 0.5
    rows = []
    for seed in range(ORDERS):
        rest = random.Random(seed).sample(everyone[len(steady) :], len(everyone) - len(steady))
        came = searched(recorded, [*steady, *rest], rule)
        ended = [n for n, end in came.items() if end == epochs]
        mine = sorted((ends[n] for n in ended), reverse=True)[:3]
        same = all(m >= t - error for m, t in zip(mine, top, strict=True))
        share = sum(came.values()) / epochs / len(everyone)
        kept = recorded.volume(ended) / whole, recorded.unseen_volume(ended) / unseen
        rows.append((share, *kept, same))
    shares, volumes, tested, same = zip(*rows, strict=True)
    return (median(shares), median(volumes), min(volumes), mean(tested), mean(map(float, same)))


def table(path: str) -> Recorded:
    """A table of trained networks."""
    rows = list(csv.DictReader(Path(path).read_text().splitlines()))
    alone, taught = (
        [float(row[f"accuracy_{how}"]) / 100 for row in rows] for how in ("alone", "distilled")
    )
    curves = tuple(
        (float(row["parameters"]), [before] * 9 + [after], "resnet")
        for row, before, after in zip(rows, alone, taught, strict=True)
    )
    return Recorded(Path(path).name, 0.01, 10_000, curves, 10_000, tuple(taught), steady=0)


def read(path: str) -> Recorded:
    """A recording."""
    if path.endswith(".csv"):
        return table(path)
    facts = json.loads(Path(path).read_text())
    curves = tuple(
        (float(cost), accuracies, family) for cost, accuracies, family, _ in facts["curves"]
    )
    tested = tuple(accuracy for *_, accuracy in facts["curves"])
    return Recorded(
        facts["name"], facts["chance"], facts["examples"], curves, facts["unseen"], tested
    )


def main() -> None:
    """Print a line for each rule and recording, and the means."""
    recordings = [read(path) for path in sys.argv[1:]]
    for rule in RULES:
        print(rule)
        rows = [replay(recorded, rule) for recorded in recordings]
        named = [*zip((r.name for r in recordings), rows, strict=True)]
        for name, (share, volume, least, tested, same) in [
            *named, ("mean", tuple(map(mean, zip(*rows, strict=True))))
        ]:  # fmt: skip
            kept = f"{volume:.2%} ({least:.1%}), on the test split {tested:.2%}"
            print(f"  {share:.1%}  {kept}  {same:4.0%}  {name}", flush=True)


main()
