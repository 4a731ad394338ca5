"""Means over seeds and examples: against a reference by hand, and as often right as they say."""

import numpy as np
import pytest
from scipy import stats

from nas_kd.crossed import Values, at_least, difference_of, mean_of, of_many, spread


def drawn(seeds: int, examples: int, luck: float = 0.3, seed: int = 0) -> Values:
    """Values that differ by seed, by example, and by both."""
    random = np.random.default_rng(seed)
    return (
        luck * random.normal(size=(seeds, 1))
        + random.normal(size=examples)
        + random.normal(size=(seeds, examples))
    )


def test_the_spread_is_that_of_the_two_way_layout_computed_by_hand() -> None:
    values = drawn(5, 40)
    seeds = sum(40 * (row.mean() - values.mean()) ** 2 for row in values) / 4
    examples = sum(5 * (column.mean() - values.mean()) ** 2 for column in values.T) / 39
    rest = 0.0
    for s in range(5):
        for n in range(40):
            fitted = values[s].mean() + values[:, n].mean() - values.mean()
            rest += (values[s, n] - fitted) ** 2 / (4 * 39)
    found = spread(values)
    variance = seeds - rest + examples
    assert seeds > rest
    assert found.mean == pytest.approx(values.mean())
    assert found.standard_error**2 == pytest.approx(variance / 200)
    bottom = seeds**2 / 4 + examples**2 / 39 + rest**2 / 156
    assert found.degrees_of_freedom == pytest.approx(variance**2 / bottom)


def test_with_one_seed_the_spread_is_that_of_the_examples() -> None:
    values = drawn(1, 50)
    found = spread(values)
    assert found.standard_error == pytest.approx(stats.sem(values[0]))
    assert found.degrees_of_freedom == pytest.approx(49)


def test_a_difference_with_one_seed_is_the_paired_t_test() -> None:
    one, other = drawn(1, 60, seed=1), drawn(1, 60, seed=2)
    found = difference_of(one, other)
    theirs = stats.ttest_rel(one[0], other[0]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    wider = difference_of(one, other, luck=0.5)
    assert wider.high - wider.low > found.high - found.low


def test_two_that_answer_alike_differ_by_nothing() -> None:
    values = np.ones((3, 20))
    found = difference_of(values, values)
    assert (found.mean, found.low, found.high, found.sign) == (0, -0.15, 0.15, 0)
    surely = difference_of(np.ones((2, 3)), np.zeros((2, 3)))
    assert (surely.mean, surely.low, surely.high) == (1, 0, 1)
    for value in (0.7, 0.9):
        assert mean_of(np.full((1, 3), value)).high > 0.95


def test_a_mean_is_no_surer_than_of_the_examples_that_it_is_worth() -> None:
    sure, doubtful = mean_of(np.ones((2, 1000))), mean_of(np.ones((2, 1000)), most=8)
    assert sure.low > 0.99
    assert doubtful.low < 0.7


def test_the_interval_of_a_mean_stays_between_nothing_and_all_and_is_never_empty() -> None:
    for right in (0.0, 1.0):
        found = mean_of(np.full((3, 7), right))
        assert 0 <= found.low <= right <= found.high <= 1
        assert found.high - found.low > 0.3
    values = (np.random.default_rng(0).random((4, 500)) < 0.9).astype(float)
    found = mean_of(values)
    assert found.low < values.mean() < found.high


@pytest.mark.parametrize(("examples", "luck"), [(400, 0.0), (400, 0.1), (2000, 0.1)])
def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says(
    examples: int, luck: float
) -> None:
    held = []
    for study in range(400):
        one, other = (drawn(5, examples, luck, 2 * study + which) for which in (0, 1))
        found = difference_of(one, other)
        held.append(found.low <= 0 <= found.high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_the_best_of_many_equal_students_is_rarely_said_to_be_better() -> None:
    random = np.random.default_rng(0)
    naive, bounded = [], []
    for _ in range(200):
        right = (random.random((21, 500)) < 0.9).astype(float)
        gains = right[:-1] - right[-1]
        best = int(gains.mean(1).argmax())
        naive.append(difference_of(right[best][None], right[-1][None]).low > 0)
        bounded.append(at_least(gains, 0.0)[best] > 0)
    assert np.mean(naive) > 0.12
    assert np.mean(bounded) <= 0.08


def test_a_student_that_is_much_better_is_found_among_many() -> None:
    random = np.random.default_rng(0)
    right = (random.random((21, 500)) < 0.9).astype(float)
    right[3] = random.random(500) < 0.99
    assert at_least(right[:-1] - right[-1], 0.0)[3] > 0.03


def test_more_students_than_examples_have_the_bounds_of_their_joint_distribution() -> None:
    random = np.random.default_rng(0)
    gains_JN = (random.random((80, 60)) < 0.7) - (random.random((1, 60)) < 0.6).astype(float)
    covariance_JJ = np.cov(gains_JN) / 60 + 0.02**2 * (np.eye(80) + 1)
    error_J, largest = of_many(gains_JN, 0.02)
    assert np.allclose(error_J**2, np.diag(covariance_JJ))
    drawn = random.multivariate_normal(np.zeros(80), covariance_JJ, 20_000)
    wanted = np.quantile((drawn / error_J).max(1), [0.5, 0.97])
    assert np.quantile(largest, [0.5, 0.97]) == pytest.approx(wanted, abs=0.07)
    assert (at_least(gains_JN, 0.02) < gains_JN.mean(1) - 2 * error_J).all()


def test_students_that_never_differ_from_the_control_have_no_bound_above_nothing() -> None:
    assert at_least(np.zeros((3, 50)), 0.0).tolist() == [0, 0, 0]
    assert at_least(np.zeros((1, 50)), 0.01)[0] < 0
    assert at_least(np.zeros((60, 50)), 0.0).tolist() == [0] * 60
