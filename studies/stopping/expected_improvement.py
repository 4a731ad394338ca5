"""Which stopped students go on: those with the largest expected improvement per epoch.

A regression on the students that ended predicts how much a stopped student will still improve,
from its accuracy at the rung where it was stopped, its cost and its family. The expected
improvement is the expected gain of hypervolume, plus `THIRD` times the expected gain over the
third-best student (studies/stopping).

Suffixes: N students, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, exp, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from nas_kd.front import LEAST_SHARE, Point, floored, front, worth

THIRD = 0.2
"""What a gain of the third best is worth, beside one of the hypervolume."""

LEAST_ERROR = 0.03
"""The smallest standard error of a prediction, on the scale of `Scale.worth` (0 to 1)."""

RIDGE = (1e-3, 1e-2, 1e-1, 3e-1)
"""Ridge penalties for the constant, the worth at the rung, the log cost, and each family."""

SHAPED = 3
"""The degrees of freedom that the fit is taken to use when its residual error is estimated."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """How far a student came: its accuracies by epoch, up to where it ended or was stopped."""

    trial: int
    family: str
    cost: float
    rungs: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """What the hypervolume is measured in: the top cost, chance, and the validation examples."""

    top: float
    chance: float
    examples: int

    def worth(self, accuracy: float) -> float:
        """An accuracy, from chance (0) to one example (1)."""
        return worth(accuracy, self.chance, self.examples)

    def place(self, cost: float) -> float:
        """A cost, from a tenth of the top or less (0) to the top or more (1), by its logarithm."""
        return 1 - log(min(1.0, floored(cost, self.top) / self.top)) / log(LEAST_SHARE)


@dataclass(frozen=True, slots=True)
class FrontSteps:
    """What the students that ended reached: the front in steps (from place, to place, worth), and
    the third best worth."""

    steps: tuple[tuple[float, float, float], ...]
    third: float

    @classmethod
    def of(cls, ended: Sequence[tuple[float, float]]) -> "FrontSteps":
        """Of students that ended at (place, worth)."""
        points = front(Point(0, value, place) for place, value in ended)
        starts = (0.0, *(point.cost for point in points))
        heights = (0.0, *(point.accuracy for point in points))
        third = sorted([0.0] * 3 + [value for _, value in ended])[-3]
        return cls(tuple(zip(starts, (*starts[1:], 1.0), heights, strict=True)), third)


def chosen(
    ended: Sequence[LearningCurve],
    waiting: Sequence[LearningCurve],
    epochs: int,
    left: int,
    scale: Scale,
) -> list[int]:
    """The trials that go on from where they wait to their end, after `epochs`, within the epochs
    that are `left`, the most promising first; ties go to the lower number.

    Each is taken to end as predicted when the next one is chosen, so that they are not all of one
    kind.
    """
    if not ended:
        return []
    predicted = {
        one.trial: (one, *prediction)
        for stop in sorted({one.rungs[-1][0] for one in waiting})
        for one, prediction in predictions(ended, waiting, stop, scale)
    }
    places = [(scale.place(c.cost), scale.worth(c.rungs[-1][1])) for c in ended]
    order: list[int] = []
    while True:
        found = FrontSteps.of(places)
        improvements = {
            trial: expected_improvement(scale.place(one.cost), mean, error, found)
            / needs(one, epochs)
            for trial, (one, mean, error) in predicted.items()
            if needs(one, epochs) <= left
        }
        if not improvements:
            return order
        best = min(improvements, key=lambda trial: (-improvements[trial], trial))
        one, mean, _ = predicted.pop(best)
        order.append(best)
        places.append((scale.place(one.cost), mean))
        left -= needs(one, epochs)


def needs(one: LearningCurve, epochs: int) -> int:
    """The epochs from where a student waits to its end."""
    return epochs - one.rungs[-1][0]


def expected_improvement(place: float, mean: float, error: float, found: FrontSteps) -> float:
    """The expected improvement of a student over what is found, at its place on the cost axis.

    Its final worth is taken as normally distributed, with this mean and standard error.
    """
    gain = sum(
        (end - max(start, place)) * expected_gain(mean - height, error)
        for start, end, height in found.steps
        if end > place
    )
    return gain + THIRD * expected_gain(mean - found.third, error)


def expected_gain(ahead: float, error: float) -> float:
    """The mean of the positive part of a normal variable (Jones, Schonlau, Welch 1998, "Efficient
    global optimization of expensive black-box functions", equation 15)."""
    z = ahead / error
    return ahead * (1 + erf(z / sqrt(2))) / 2 + error * exp(-z * z / 2) / sqrt(2 * pi)


def predictions(
    ended: Sequence[LearningCurve], waiting: Sequence[LearningCurve], stop: int, scale: Scale
) -> list[tuple[LearningCurve, tuple[float, float]]]:
    """Those that wait at a rung, each with its predicted worth in the end and the error of that.

    A ridge regression of the rise from that rung (Hoerl and Kennard 1970, "Ridge regression: biased
    estimation for nonorthogonal problems", equation 2.1).
    """
    asked = [one for one in waiting if one.rungs[-1][0] == stop]
    known = [one for one in ended if any(epoch == stop for epoch, _ in one.rungs)]
    families = sorted({one.family for one in (*asked, *known)})
    known_NF, known_N = features(known, stop, families, scale)
    rise_N = np.array([scale.worth(one.rungs[-1][1]) for one in known]) - known_N
    ridge = np.diag([*RIDGE[:3], *RIDGE[3:] * len(families)])
    weight_F = np.linalg.solve(known_NF.T @ known_NF + ridge, known_NF.T @ rise_N)
    left_N = rise_N - known_NF @ weight_F
    error = sqrt(float((left_N**2).sum()) / max(1, len(known) - SHAPED))
    asked_NF, asked_N = features(asked, stop, families, scale)
    means = (asked_N + asked_NF @ weight_F).tolist()
    return [(one, (mean, max(error, LEAST_ERROR))) for one, mean in zip(asked, means, strict=True)]


def features(
    climbs: Sequence[LearningCurve], stop: int, families: Sequence[str], scale: Scale
) -> tuple[Array, Array]:
    """What is known of students at a rung [N, F], and their worth there [N]."""
    worth_N = np.array([scale.worth(dict(one.rungs)[stop]) for one in climbs])
    rows = [
        (1.0, at, log(one.cost / scale.top), *(float(one.family == f) for f in families))
        for one, at in zip(climbs, worth_N, strict=True)
    ]
    return np.array(rows).reshape(len(climbs), 3 + len(families)), worth_N
