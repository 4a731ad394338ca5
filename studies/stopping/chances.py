"""Second chances, replayed on recorded learning curves: is an epoch better spent later?

    python studies/stopping/chances.py studies/stopping/*.json

Generations are stopped by a stricter rule than the default; after each, or when all are done,
stopped students go on from where they were, one rung at a time, those first that promise most for
each epoch that is left, until a share of all epochs so far is spent. A student's end is predicted
by ridge regression on those that ended: the rise from its rung, in log error, given its rung, cost
and family, with a normal error. What it promises is the expected gain of hypervolume, plus a share
of what it may add to the third best.

Suffixes: N students, S steps of log cost, M samples, F features.
"""

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, log
from pathlib import Path
from statistics import mean, median

import numpy as np
from numpy.typing import NDArray

from nas_kd.front import LEAST_SHARE, Point, floored
from nas_kd.study.stopper import survivors

ORDERS, GENERATION, STEADY, STEPS, SAMPLES = 100, 16, 6, 100, 64
TENTHS = (1, 3, 6)
LEAST_ERROR = 0.03
"""Of a prediction, in shares of the hypervolume's scale."""

RIDGE = (1e-3, 1e-2, 1e-1, 3e-1)
"""Of the constant, the rung, the log cost and each family."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """What stops a generation, and what is spent at the end."""

    eta: float
    leaders: int
    more: int
    share: float = 0.45
    """Of all epochs, at the end; what the rule itself spends if that is more."""
    third: float = 0.0
    """What a gain of the third best is worth, beside one of the hypervolume."""
    each: bool = True
    """Whether there are chances after each generation, not only after the last."""

    def __str__(self) -> str:
        rule = f"1 of {self.eta:g} and {self.leaders} most accurate, {self.more} more a rung"
        if not self.share:
            return rule
        when = "each" if self.each else "the last"
        chances = f"after {when} to {self.share:.0%} of the epochs, third best {self.third:g}"
        return f"{rule}; {chances}"


RULES = [
    Rule(3, 2, 1, share=0),
    Rule(3, 2, 1, third=0.2, each=False),
    Rule(6, 1, 0, each=False),
    Rule(6, 1, 0, third=0.2, each=False),
    Rule(3, 2, 1, third=0.2),
    Rule(4, 1, 1, third=0.2),
    Rule(6, 1, 0, third=0.2),
    Rule(6, 1, 0, third=0.1),
    Rule(6, 1, 0, share=0.5, third=0.2),
]


class Students:
    """What was recorded of one search."""

    def __init__(self, path: str) -> None:
        facts = json.loads(Path(path).read_text())
        costs, curves, families = zip(*facts["curves"], strict=True)
        self.name, self.chance, self.examples = facts["name"], facts["chance"], facts["examples"]
        self.cost_N = np.array(costs, float)
        self.accuracy_NE = np.array(curves)
        known = sorted(set(families))
        self.family_NF = np.eye(len(known))[[known.index(family) for family in families]]
        self.budget = self.cost_N.max()
        self.epochs = self.accuracy_NE.shape[1]
        self.stops = sorted({ceil(t * self.epochs / 10) for t in TENTHS} - {self.epochs})
        floor_N = np.maximum(self.cost_N, LEAST_SHARE * self.budget)
        place_S = self.budget * LEAST_SHARE ** (1 - (np.arange(STEPS) + 0.5) / STEPS)
        self.counts_NS = (floor_N[:, None] <= place_S) | (self.cost_N <= place_S[0])[:, None]

    def worth(self, accuracy: Array) -> Array:
        """Accuracies on the hypervolume's scale: log error, from chance (0) to one example (1)."""
        error = np.clip(1 - accuracy, 1 / self.examples, 1 - self.chance)
        found: Array = np.log((1 - self.chance) / error) / log((1 - self.chance) * self.examples)
        return found

    def reached(self, ended: list[int]) -> Array:
        """The best worth [S] at no more than each cost."""
        worth_N = self.worth(self.accuracy_NE[ended, -1])
        best: Array = np.where(self.counts_NS[ended], worth_N[:, None], 0).max(0)
        return best

    def features(self, students: list[int], stop: int) -> tuple[Array, Array]:
        """What is known of students at a rung [N, F], and their worth there [N]."""
        at_N = self.worth(self.accuracy_NE[students, stop - 1])
        cost_N = np.log(self.cost_N[students] / self.budget)
        parts = (np.ones(len(students)), at_N, cost_N, self.family_NF[students])
        return np.column_stack(parts), at_N

    def predicted(self, ended: list[int], asked: list[int], stop: int, draw_MN: Array) -> Array:
        """Samples [M, N] of the worth in the end of students at a rung."""
        known_NF, known_N = self.features(ended, stop)
        rise_N = self.worth(self.accuracy_NE[ended, -1]) - known_N
        ridge = np.diag([*RIDGE[:3], *[RIDGE[3]] * (known_NF.shape[1] - 3)])
        weight_F = np.linalg.solve(known_NF.T @ known_NF + ridge, known_NF.T @ rise_N)
        left_N = rise_N - known_NF @ weight_F
        error = max(LEAST_ERROR, float(np.sqrt((left_N**2).sum() / max(1, len(ended) - 3))))
        asked_NF, at_N = self.features(asked, stop)
        return at_N + asked_NF @ weight_F + error * draw_MN[:, asked]


def searched(students: Students, order: list[int], rule: Rule) -> tuple[list[int], int]:
    """Who ended, and the epochs spent."""
    stops = [*students.stops, students.epochs]
    history: list[list[Point]] = [[] for _ in stops]
    ended, waiting, spent = [], {}, 0
    for first in range(0, len(order), GENERATION):
        live = order[first : first + GENERATION]
        for rung, stop in enumerate(stops):
            spent += (stop - (stops[rung - 1] if rung else 0)) * len(live)
            if stop == students.epochs:
                ended += live
                break
            points = [
                Point(n, students.accuracy_NE[n, stop - 1],
                      floored(students.cost_N[n], students.budget)) for n in live
            ]  # fmt: skip
            on = survivors(points, history[rung], rule.eta, rule.leaders + rule.more * rung)
            history[rung] += points
            waiting |= {n: stop for n in live if n not in on and n >= STEADY}
            live = [n for n in live if n in on or n < STEADY]
        so_far = first + GENERATION
        if rule.each or so_far >= len(order):
            limit = int(rule.share * students.epochs * so_far)
            spent = go_on(students, ended, waiting, spent, limit, rule.third)
    return ended, spent


def go_on(
    students: Students,
    ended: list[int],
    waiting: dict[int, int],
    spent: int,
    limit: int,
    third: float,
) -> int:
    """Give second chances up to a limit of epochs; the epochs spent. Who ends moves from `waiting`
    to `ended`."""
    after = dict(zip(students.stops, [*students.stops[1:], students.epochs], strict=True))
    draw_MN = np.random.default_rng(1).standard_normal((SAMPLES, len(students.cost_N)))
    while promises := list(promised(students, ended, waiting, limit - spent, third, draw_MN)):
        chosen = -max(promises)[1]
        stop = waiting.pop(chosen)
        spent += after[stop] - stop
        if after[stop] == students.epochs:
            ended.append(chosen)
        else:
            waiting[chosen] = after[stop]
    return spent


def promised(
    students: Students,
    ended: list[int],
    waiting: dict[int, int],
    left: int,
    third: float,
    draw_MN: Array,
) -> Iterator[tuple[float, int]]:
    """What each waiting student promises for an epoch, if its next rung is within what is left,
    and its number, negative."""
    after = dict(zip(students.stops, [*students.stops[1:], students.epochs], strict=True))
    base_S = students.reached(ended)
    worth_N = np.sort(students.worth(students.accuracy_NE[ended, -1]))
    for stop in students.stops:
        asked = [n for n, at in waiting.items() if at == stop]
        if not asked or after[stop] - stop > left:
            continue
        worth_MN = students.predicted(ended, asked, stop, draw_MN)
        for n, worth_M in zip(asked, worth_MN.T, strict=True):
            more_MS = np.where(students.counts_NS[n], worth_M[:, None], 0) - base_S
            gain = np.maximum(more_MS, 0).mean()
            gain += third * np.maximum(worth_M - worth_N[-3], 0).mean()
            yield float(gain / (students.epochs - stop)), -n


def replay(students: Students, rule: Rule) -> tuple[float, float, float, float]:
    """Medians of epochs and hypervolume kept, the least of that, and how often the best three are
    the same or within one standard error."""
    everyone = list(range(len(students.cost_N)))
    whole = students.reached(everyone).mean()
    top = np.sort(students.accuracy_NE[:, -1])[:-4:-1]
    error = (top[0] * (1 - top[0]) / students.examples) ** 0.5
    rows = []
    for seed in range(ORDERS):
        rest = random.Random(seed).sample(everyone[STEADY:], len(everyone) - STEADY)
        ended, spent = searched(students, [*everyone[:STEADY], *rest], rule)
        mine = np.sort(students.accuracy_NE[ended, -1])[:-4:-1]
        share = spent / students.epochs / len(everyone)
        rows.append(
            (share, students.reached(ended).mean() / whole, bool((mine >= top - error).all()))
        )
    shares, volumes, same = zip(*rows, strict=True)
    return median(shares), float(median(volumes)), float(min(volumes)), mean(map(float, same))


def main() -> None:
    """Print a line for each rule and recording, and the means."""
    recorded = [Students(path) for path in sys.argv[1:]]
    for rule in RULES:
        print(rule)
        rows = [replay(students, rule) for students in recorded]
        named = [*zip((s.name for s in recorded), rows, strict=True)]
        for name, (share, volume, least, same) in [
            *named, ("mean", tuple(map(mean, zip(*rows, strict=True))))
        ]:  # fmt: skip
            print(f"  {share:.1%}  {volume:.2%} ({least:.1%})  {same:4.0%}  {name}", flush=True)


main()
