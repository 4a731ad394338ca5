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
class Spread:
    """A mean of values [S, N], its standard error, and the degrees of freedom of that."""

    mean: float
    error: float
    freedom: float


def spread(values_SN: Values) -> Spread:
    """The mean over seeds and examples, and its standard error.

    The variance of the mean is estimated from the mean squares of the two-way layout without
    replication, (MS_seeds - MS_rest)+ / SN + MS_examples / SN, where a negative variance of the
    seeds counts as zero; the degrees of freedom are Satterthwaite's (1946, "An approximate
    distribution of estimates of variance components"). With one seed only the examples are
    covered.
    """
    seeds, examples = values_SN.shape
    mean = float(values_SN.mean())
    if examples < 2:
        return Spread(mean, 0.0, 1.0)
    of_seed_S = values_SN.mean(1) - mean
    of_example_N = values_SN.mean(0) - mean
    among_examples = seeds * float(of_example_N @ of_example_N) / (examples - 1)
    variance, spoiled = among_examples, among_examples**2 / (examples - 1)
    if seeds > 1:
        rest_SN = values_SN - mean - of_seed_S[:, None] - of_example_N
        free = (seeds - 1) * (examples - 1)
        rest = float(np.square(rest_SN).sum()) / free
        among_seeds = examples * float(of_seed_S @ of_seed_S) / (seeds - 1)
        if among_seeds > rest:
            variance += among_seeds - rest
            spoiled += among_seeds**2 / (seeds - 1) + rest**2 / free
    freedom = variance**2 / spoiled if spoiled else examples - 1.0
    return Spread(mean, sqrt(variance / values_SN.size), freedom)


def mean_of(values_SN: Values) -> Estimate:
    """A mean with its 95% interval, of values whose mean lies in [0, 1].

    The interval is Wilson's for as many independent examples as the standard error is worth, so
    that it stays within [0, 1] and is never empty. Wilson 1927, "Probable inference, the law of
    succession, and statistical inference".
    """
    found = spread(values_SN)
    mean, examples = found.mean, values_SN.shape[1]
    worth = mean * (1 - mean) / found.error**2 if found.error else examples
    quantile = float(stdtrit(found.freedom, 0.975))
    part = quantile**2 / max(worth, 1.0)
    middle = (mean + part / 2) / (1 + part)
    reach = sqrt(mean * (1 - mean) * part + part**2 / 4) / (1 + part)
    return Estimate(mean, max(0.0, middle - reach), min(1.0, middle + reach))


def difference_of(first_SN: Values, second_SN: Values, luck: float = 0.0) -> Estimate:
    """The mean of the first minus that of the second, paired by seed and example, with its 95%
    interval.

    `luck` is a standard deviation that is known beforehand, for what one seed cannot tell.
    """
    found = spread(first_SN - second_SN)
    reach = float(stdtrit(found.freedom, 0.975)) * hypot(found.error, luck)
    return Estimate(found.mean, found.mean - reach, found.mean + reach)


LUCK = 0.013
"""What a seed does: the standard deviation, over seeds, of the accuracy that a student would have
on endless examples, as a share of sqrt(accuracy * (1 - accuracy)) (studies/verdict)."""


def luck_of(accuracy: float) -> float:
    """The standard deviation of a student's accuracy over seeds, where one seed is known."""
    return LUCK * sqrt(accuracy * (1 - accuracy))


DRAWS, QUANTILE = 20_000, 0.97


def at_least(gains_JN: Values, luck: float) -> Values:
    """What each of several students is better by than one control, at least: lower bounds [J] that
    hold all at once with 95%, so also for the one that was chosen as the best of them.

    All are compared with one control on the same examples; `luck` is what a seed does to each, and
    to the control. The bound is mean - q * error, where q is the QUANTILE of the largest of J
    studentised errors, which are drawn from their joint normal distribution; a little more than
    95%, for the luck of one student is not that of another. Romano, Wolf 2005,
    "Stepwise multiple testing as formalized data snooping", the single step.
    """
    students, examples = gains_JN.shape
    of_examples_JJ = np.atleast_2d(np.cov(gains_JN)) / examples
    covariance_JJ = of_examples_JJ + luck**2 * (np.eye(students) + 1)
    error_J = np.sqrt(np.diag(covariance_JJ))
    random = np.random.default_rng(0)
    drawn = random.multivariate_normal(np.zeros(students), covariance_JJ, DRAWS, method="eigh")
    known_J = error_J > 0  # two students that are always right differ by nothing
    largest = (drawn[:, known_J] / error_J[known_J]).max(1, initial=0.0)
    quantile = float(np.quantile(largest, QUANTILE))
    bounds: Values = gains_JN.mean(1) - quantile * error_J
    return bounds
