"""The Pareto front of accuracy against cost, and what is chosen from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log, sqrt

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
    """The front's point farthest above the chord between its ends in (log cost, accuracy)."""
    on = front(points)
    if len(on) < 3:
        return on[-1] if on else None
    first, last = on[0], on[-1]
    width, rise = log(last.cost / first.cost), last.accuracy - first.accuracy

    def height(point: Point) -> float:
        chord = first.accuracy + rise * log(point.cost / first.cost) / width
        return point.accuracy - chord

    return max(on, key=height)


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


def standard_error(accuracy: float, examples: int) -> float:
    """The binomial standard error of an accuracy measured on so many examples."""
    return sqrt(accuracy * (1 - accuracy) / examples)


def at_chance(accuracy: float, examples: int, chance: float) -> bool:
    """Whether the 99% interval of the accuracy includes the share of the commonest class."""
    reach = 2.576 * standard_error(min(max(accuracy, 1 / examples), 1 - 1 / examples), examples)
    return accuracy - reach <= chance


def not_told_apart(points: Iterable[Point], examples: int) -> frozenset[int]:
    """The trials within one standard error of the best."""
    listed = list(points)
    top = best(listed)
    if top is None:
        return frozenset()
    reach = standard_error(top.accuracy, examples)
    return frozenset(p.trial for p in listed if p.accuracy >= top.accuracy - reach)


def gain(accuracy: float, control: float, examples: int) -> tuple[float, float]:
    """Difference of two accuracies and its standard error, in points of a hundred.

    The errors are taken as independent, which is cautious: both were scored on the same examples.
    """
    error = sqrt(standard_error(accuracy, examples) ** 2 + standard_error(control, examples) ** 2)
    return 100 * (accuracy - control), 100 * error


def verdict(accuracy: float, control: float, examples: int, size: str) -> str:
    """One sentence: what distillation gained over the same student without the teacher."""
    difference, error = gain(accuracy, control, examples)
    found = f"{difference:+.1f} +- {error:.1f} points at {size}"
    if difference > 2 * error:
        return f"Distillation gained {found[1:]}."
    if difference < -2 * error:
        return f"Distillation lost {found[1:]}: this student is better off without the teacher."
    return f"No difference between with and without the teacher was found ({found})."
