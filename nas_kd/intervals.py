"""How sure an accuracy is that was measured on so many examples, and what may be said of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from nas_kd.front import Point, best

Z95, Z99 = 1.960, 2.576
"""How many standard errors an interval of 95%, or of 99%, reaches to either side."""

LITTLE = 0.1
"""A network that closes at most this share of the gap from guessing to perfect knows nothing."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95% interval, all in shares of one."""

    mean: float
    low: float
    high: float

    def in_words(self, digits: int = 2, sign: str = "") -> str:
        """In points of a hundred: 92.20 (91.34 to 92.98)."""
        mean, low, high = (
            format(100 * share, f"{sign}.{digits}f") for share in (self.mean, self.low, self.high)
        )
        return f"{mean} ({low} to {high})"

    def reversed(self) -> "Estimate":
        """The difference the other way round."""
        return Estimate(-self.mean, -self.high, -self.low)

    @property
    def sign(self) -> int:
        """1 where the interval lies above zero, -1 where it lies below, else 0."""
        return (self.low > 0) - (self.high < 0)


def interval(accuracy: float, examples: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's interval of an accuracy in [0, 1]: never empty, and never outside [0, 1].

    Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    spread = z**2 / examples
    middle = (accuracy + spread / 2) / (1 + spread)
    reach = sqrt(accuracy * (1 - accuracy) * spread + spread**2 / 4) / (1 + spread)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def half_width(accuracy: float, examples: int, z: float = 1.0) -> float:
    """Half of Wilson's interval: for z = 1 about the standard error, but never zero."""
    low, high = interval(accuracy, examples, z)
    return (high - low) / 2


def interval_in_words(accuracy: float, examples: int) -> str:
    """An accuracy with its 95% interval, in points of a hundred: 92.20 (91.34 to 92.98)."""
    return Estimate(accuracy, *interval(accuracy, examples)).in_words()


def gain(accuracy: float, control: float, examples: int) -> Estimate:
    """The difference of two accuracies and its 95% interval.

    The two are taken as independent, which is cautious: both were scored on the same examples.
    Newcombe 1998, "Interval estimation for the difference between independent proportions",
    method 10.
    """
    difference = accuracy - control
    (low, high), (less, more) = (interval(one, examples) for one in (accuracy, control))
    down = sqrt((accuracy - low) ** 2 + (more - control) ** 2)
    up = sqrt((high - accuracy) ** 2 + (control - less) ** 2)
    return Estimate(difference, difference - down, difference + up)


def told_from_chance(accuracy: float, examples: int, chance: float) -> bool:
    """Whether the 99% interval of an accuracy lies above what guessing reaches."""
    return interval(accuracy, examples, Z99)[0] > chance


def at_chance(accuracy: float, examples: int, chance: float) -> bool:
    """Whether an accuracy is no better than guessing, measured on enough examples to be sure: its
    99% interval reaches down to guessing, and up to LITTLE of the gap to perfect at most."""
    most = interval(accuracy, examples, Z99)[1]
    untold = not told_from_chance(accuracy, examples, chance)
    return untold and most <= chance + LITTLE * (1 - chance)


def not_told_apart(points: Iterable[Point], examples: int) -> frozenset[int]:
    """The trials within one standard error of the best: of Wilson's interval for z = 1."""
    listed = list(points)
    top = best(listed)
    if top is None:
        return frozenset()
    low = interval(top.accuracy, examples, 1.0)[0]
    return frozenset(p.trial for p in listed if p.accuracy >= low)
