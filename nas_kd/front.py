"""The Pareto front of accuracy against cost, and what is chosen from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log

LEAST_SHARE = 0.1
"""Where fronts are judged, costs below this share of the budget are not told apart."""


@dataclass(frozen=True, slots=True)
class Point:
    """A scored student: its trial's number, validation accuracy in [0, 1], and cost."""

    trial: int
    accuracy: float
    cost: float


def front(points: Iterable[Point]) -> tuple[Point, ...]:
    """The Pareto front, cheapest first: no other point is as accurate at equal or less cost.

    Of points with equal accuracy and cost, the one with the lowest trial number is kept.
    """
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.accuracy, p.trial)):
        if not kept or point.accuracy > kept[-1].accuracy:
            kept.append(point)
    return tuple(kept)


def by_accuracy(points: Iterable[Point]) -> list[Point]:
    """Highest accuracy first; ties go to the lower cost, then the lower number."""
    return sorted(points, key=lambda p: (-p.accuracy, p.cost, p.trial))


def best(points: Iterable[Point]) -> Point | None:
    """The first of them by accuracy."""
    return next(iter(by_accuracy(points)), None)


def knee(points: Iterable[Point]) -> Point | None:
    """The front's point farthest above the chord between its ends in (log cost, accuracy); the most
    accurate if none is above it."""
    on = front(points)
    if len(on) < 3:
        return on[-1] if on else None
    first, last = on[0], on[-1]
    width, rise = log(last.cost / first.cost), last.accuracy - first.accuracy

    def height(point: Point) -> float:
        chord = first.accuracy + rise * log(point.cost / first.cost) / width
        return point.accuracy - chord

    return max(on, key=lambda point: (round(height(point), 12), point.accuracy))


def floored(cost: float, budget: float) -> float:
    """What a cost counts as where fronts are judged: at least a tenth of the budget."""
    return max(cost, LEAST_SHARE * budget)


def hypervolume(
    points: Sequence[Point], budget: float, chance: float, examples: int, steps: int = 200
) -> float:
    """Mean over log cost in [budget / 10, budget] of log error, from chance (0) to one example (1).

    At each cost the best accuracy at no more cost counts; a student cheaper than budget / 10
    counts at budget / 10. `examples` is the size of the validation split.
    """
    total = 0.0
    for step in range(steps):
        cost = budget * LEAST_SHARE ** (1 - (step + 0.5) / steps)
        accuracy = max((p.accuracy for p in points if p.cost <= cost), default=chance)
        total += worth(accuracy, chance, examples)
    return total / steps


def worth(accuracy: float, chance: float, examples: int) -> float:
    """An accuracy on the hypervolume's scale: log error, from chance (0) to one example (1)."""
    worst, least = 1 - chance, 1 / examples
    error = min(worst, max(least, 1 - accuracy))
    return log(worst / error) / log(worst / least)
