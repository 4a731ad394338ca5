"""Which trials go on from a rung: the front at that rung, the smallest gaps to it, and the most
accurate of the generation."""

from collections.abc import Sequence
from math import ceil

from nas_kd.front import Point, by_accuracy

LEADERS = 3
"""So many of a generation go on from each rung because they are the most accurate."""


def gap(point: Point, others: Sequence[Point]) -> float:
    """The best accuracy at no more cost, minus the point's own; 0 on the front."""
    return max(p.accuracy for p in (*others, point) if p.cost <= point.cost) - point.accuracy


def survivors(
    live: Sequence[Point], earlier: Sequence[Point], eta: float, leaders: int
) -> frozenset[int]:
    """The trials of `live` that go on, of their accuracies at one rung.

    `earlier` are the points of all earlier generations at the same rung. Trials without a gap go
    on, and so do the ceil(n / eta) smallest gaps; ties go to the lower cost, then the lower number.
    So do so many `leaders`, the most accurate, even where earlier generations were better:
    students that end high often begin slowly (studies/stopping).
    """
    everyone = (*live, *earlier)
    gaps = {p.trial: gap(p, everyone) for p in live}
    ranked = sorted(live, key=lambda p: (gaps[p.trial], p.cost, p.trial))
    near = {p.trial for p in (*ranked[: ceil(len(live) / eta)], *by_accuracy(live)[:leaders])}
    return frozenset(near | {trial for trial, distance in gaps.items() if distance == 0})
