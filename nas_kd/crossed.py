"""How sure a mean over seeds and examples is, and a difference of two such means.

A student that is trained with S seeds and scored on the same N examples gives a value for each
pair: 1 if the answer is right, else 0. Seeds and examples are two crossed random factors: another
seed draws another network, and another test set other examples. An interval has to cover both.

Suffixes: S seeds, N examples, J students.
"""

from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from nas_kd.intervals import Estimate

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MeanSquares:
    """The mean squares of values [S, N] in the two-way layout without replication."""

    seeds: float
    examples: float
    rest: float
    """Of what neither the seed nor the example explains; like `seeds` zero if there is one seed."""


def mean_squares(values_SN: Values) -> MeanSquares:
    """The mean squares of at least two examples."""
    seeds, examples = values_SN.shape
    mean = values_SN.mean()
    seed_S, example_N = values_SN.mean(1) - mean, values_SN.mean(0) - mean
    of_examples = seeds * float(example_N @ example_N) / (examples - 1)
    if seeds == 1:
        return MeanSquares(0.0, of_examples, 0.0)
    rest_SN = values_SN - mean - seed_S[:, None] - example_N
    rest = float(np.square(rest_SN).sum()) / ((seeds - 1) * (examples - 1))
    return MeanSquares(examples * float(seed_S @ seed_S) / (seeds - 1), of_examples, rest)


@dataclass(frozen=True, slots=True)
class Spread:
    """How sure a mean of values [S, N] is."""

    mean: float
    standard_error: float
    """Zero where no two examples differ, which is not to be sure."""
    degrees_of_freedom: float


def spread(values_SN: Values) -> Spread:
    """The mean over seeds and examples, and its standard error.

    The variance of the mean is (MS_seeds - MS_rest)+ / SN + MS_examples / SN, where a negative
    variance of the seeds counts as zero; the degrees of freedom are Satterthwaite's (1946, "An
    approximate distribution of estimates of variance components"). With one seed only the examples
    are covered.
    """
    seeds, examples = values_SN.shape
    mean = float(values_SN.mean())
    if examples < 2:
        return Spread(mean, 0.0, 1.0)
    found = mean_squares(values_SN)
    variance, denominator = found.examples, found.examples**2 / (examples - 1)
    if found.seeds > found.rest:
        variance += found.seeds - found.rest
        denominator += found.seeds**2 / (seeds - 1)
        denominator += found.rest**2 / ((seeds - 1) * (examples - 1))
    freedom = variance**2 / denominator if denominator else examples - 1.0
    return Spread(mean, sqrt(variance / values_SN.size), freedom)


NOTHING = 1e-9
"""A standard error that is no larger is one of rounding: no two values differ."""


def mean_of(values_SN: Values, most: float | None = None) -> Estimate:
    """A mean with its 95% interval, of values whose mean lies in [0, 1].

    The interval is Wilson's for as many independent examples as the standard error is worth, or for
    N where it is zero, but for no more than `most` where that is said; so it stays within [0, 1]
    and is never empty. Wilson 1927, "Probable inference, the law of succession, and statistical
    inference".
    """
    found, examples = spread(values_SN), values_SN.shape[1]
    mean, error = min(1.0, max(0.0, found.mean)), found.standard_error
    worth = mean * (1 - mean) / error**2 if error > NOTHING else examples
    effective = max(1.0, worth if most is None else min(worth, most))
    part = float(stdtrit(found.degrees_of_freedom, 0.975)) ** 2 / effective
    middle = (mean + part / 2) / (1 + part)
    reach = sqrt(mean * (1 - mean) * part + part**2 / 4) / (1 + part)
    return Estimate(mean, max(0.0, middle - reach), min(1.0, middle + reach))


def difference_of(first_SN: Values, second_SN: Values, luck: float = 0.0) -> Estimate:
    """The mean of the first minus that of the second, paired by seed and example, with its 95%
    interval.

    `luck` is a standard deviation that is known beforehand, for what one seed cannot tell. Where no
    example tells the two apart, the interval reaches to 3 / N on either side (the rule of three).
    """
    found = spread(first_SN - second_SN)
    error = hypot(found.standard_error, luck)
    reach = float(stdtrit(found.degrees_of_freedom, 0.975)) * error
    if found.standard_error <= NOTHING:
        reach = max(reach, 3 / first_SN.shape[1])
    return Estimate(found.mean, max(-1.0, found.mean - reach), min(1.0, found.mean + reach))


LUCK = 0.013
"""What a seed does: the standard deviation, over seeds, of the accuracy that a student would have
on endless examples, as a share of sqrt(accuracy * (1 - accuracy)) (studies/verdict)."""


def luck_of(accuracy: float) -> float:
    """The standard deviation of a student's accuracy over seeds, where one seed is known."""
    return LUCK * sqrt(accuracy * (1 - accuracy))


DRAWS, LEVEL = 20_000, 0.97
AT_ONCE = 500
"""So many draws are in memory where there are more students than examples."""


def at_least(gains_JN: Values, luck: float) -> Values:
    """What each of J students is better by than one control, at least: lower bounds [J] that hold
    all at once with 95%, so also for the one that was chosen as the best of them.

    All are compared with one control on the same N examples, as if the J had been named beforehand;
    `luck` is what a seed does to each, and to the control. The bound is mean - q * standard error,
    where q is the quantile, at LEVEL, of the largest of J studentised errors, which are drawn from
    their joint normal distribution; LEVEL is a little more than 95%, for the luck of one student is
    not that of another. Romano, Wolf 2005, "Stepwise multiple testing as formalized data snooping",
    the single step.
    """
    students, examples = gains_JN.shape
    if students > examples:
        error_J, largest = of_many(gains_JN, luck)
    else:
        of_examples_JJ = np.atleast_2d(np.cov(gains_JN)) / examples
        covariance_JJ = of_examples_JJ + luck**2 * (np.eye(students) + 1)
        error_J = np.sqrt(np.diag(covariance_JJ))
        random = np.random.default_rng(0)
        drawn = random.multivariate_normal(np.zeros(students), covariance_JJ, DRAWS, method="eigh")
        known_J = error_J > 0  # two students that are always right differ by nothing
        largest = (drawn[:, known_J] / error_J[known_J]).max(1, initial=0.0)
    bounds: Values = gains_JN.mean(1) - float(np.quantile(largest, LEVEL)) * error_J
    return bounds


def of_many(gains_JN: Values, luck: float) -> tuple[Values, Values]:
    """The standard error of each of J students [J], and the largest of their studentised errors in
    each draw [DRAWS], without a matrix of students by students: an error is a sum over examples."""
    students, examples = gains_JN.shape
    centred_JN = gains_JN - gains_JN.mean(1, keepdims=True)
    each_JN = centred_JN / sqrt(examples * (examples - 1))
    error_J = np.sqrt((each_JN**2).sum(1) + 2 * luck**2)
    known_J = error_J > 0
    random, largest = np.random.default_rng(0), []
    for _ in range(DRAWS // AT_ONCE):
        drawn = random.standard_normal((AT_ONCE, examples)) @ each_JN.T
        drawn += luck * random.standard_normal((AT_ONCE, students))
        drawn += luck * random.standard_normal((AT_ONCE, 1))
        largest.append((drawn[:, known_J] / error_J[known_J]).max(1, initial=0.0))
    return error_J, np.concatenate(largest)
