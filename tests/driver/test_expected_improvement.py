"""Which stopped students go on: predicted from those that ended, the most promising first."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_kd.driver.expected_improvement import (
    LEAST_ERROR,
    THIRD,
    FrontSteps,
    LearningCurve,
    Scale,
    chosen,
    expected_gain,
    expected_improvement,
    features,
    predictions,
)
from nas_kd.front import Point, hypervolume

SCALE = Scale(top=1000.0, chance=0.1, examples=500)
EPOCHS = 10


def climb(trial: int, cost: float, *accuracies: float, family: str = "cnn") -> LearningCurve:
    """A student with these accuracies at epochs 1, 3, 6 and 10, or the first of them."""
    return LearningCurve(trial, family, cost, tuple(zip((1, 3, 6, 10), accuracies, strict=False)))


ENDED = [
    climb(0, 1000, 0.6, 0.8, 0.88, 0.93),
    climb(1, 500, 0.5, 0.7, 0.80, 0.87),
    climb(2, 200, 0.4, 0.6, 0.70, 0.78),
    climb(3, 100, 0.3, 0.5, 0.60, 0.69),
]


def test_accuracy_and_cost_are_measured_as_in_the_hypervolume() -> None:
    assert SCALE.worth(0.1) == 0
    assert SCALE.worth(0.05) == 0
    assert SCALE.worth(1.0) == pytest.approx(1)
    assert SCALE.worth(0.91) == pytest.approx(log(0.9 / 0.09) / log(0.9 * 500))
    assert [SCALE.place(cost) for cost in (10, 100, 1000, 3000)] == pytest.approx([0, 0, 1, 1])
    assert SCALE.place(1000 / 10**0.5) == pytest.approx(0.5)


@given(st.floats(-2, 2), st.floats(0.05, 1))
def test_the_expected_gain_is_the_mean_of_what_is_above(ahead: float, error: float) -> None:
    at = np.linspace(-8, 8, 20_001)
    density = np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi)
    mean = np.trapezoid(np.maximum(0, ahead + error * at) * density, at)
    assert expected_gain(ahead, error) == pytest.approx(mean, abs=1e-6)


@given(
    st.lists(st.tuples(st.floats(20, 1000), st.floats(0.1, 0.99)), min_size=3, max_size=8),
    st.floats(20, 1000),
    st.floats(0.1, 0.99),
)
def test_a_sure_promise_is_the_hypervolume_that_is_gained(
    others: list[tuple[float, float]], cost: float, accuracy: float
) -> None:
    places = [(SCALE.place(c), SCALE.worth(a)) for c, a in others]
    points = [Point(n, a, c) for n, (c, a) in enumerate(others)]
    new = Point(99, accuracy, cost)
    before, after = (hypervolume(p, 1000, 0.1, 500, steps=4000) for p in (points, [*points, new]))
    mean, third = SCALE.worth(accuracy), sorted(value for _, value in places)[-3]
    promised = expected_improvement(SCALE.place(cost), mean, 1e-6, FrontSteps.of(places))
    assert promised - THIRD * max(0, mean - third) == pytest.approx(after - before, abs=2e-3)


def test_a_rise_that_is_the_same_for_all_is_what_is_predicted() -> None:
    rng = np.random.default_rng(0)
    ended = []
    for trial in range(200):
        at, cost = rng.uniform(0.2, 0.5), rng.uniform(100, 1000)
        first, last = (1 - 0.9 * (0.9 * 500) ** -value for value in (at, at + 0.3))
        ended.append(climb(trial, cost, first, first, first, last))
    asked = climb(999, 300, 0.6)
    ((one, (mean, error)),) = predictions(ended, [asked], 1, SCALE)
    assert one == asked
    assert mean == pytest.approx(SCALE.worth(0.6) + 0.3, abs=2e-3)
    assert error == LEAST_ERROR


def test_a_prediction_is_a_ridge_regression() -> None:
    asked = [climb(9, 300, 0.5, family="mlp")]
    known, at = features(ENDED, 1, ["cnn", "mlp"], SCALE)
    rise = np.array([SCALE.worth(one.rungs[-1][1]) for one in ENDED]) - at
    penalty = np.sqrt(np.diag([1e-3, 1e-2, 1e-1, 3e-1, 3e-1]))
    weight, *_ = np.linalg.lstsq(
        np.vstack([known, penalty]), np.concatenate([rise, np.zeros(5)]), rcond=None
    )
    row, here = features(asked, 1, ["cnn", "mlp"], SCALE)
    ((_, (mean, _)),) = predictions(ENDED, asked, 1, SCALE)
    assert mean == pytest.approx((here + row @ weight).item())


def test_the_most_promising_go_on_within_what_is_left() -> None:
    waiting = [climb(4, 900, 0.2), climb(5, 900, 0.65), climb(6, 150, 0.1), climb(7, 400, 0.6)]
    assert chosen(ENDED, waiting, EPOCHS, 8, SCALE) == []
    assert chosen(ENDED, waiting, EPOCHS, 9, SCALE) == [7]
    assert chosen(ENDED, waiting, EPOCHS, 18, SCALE) == [7, 5]
    assert set(chosen(ENDED, waiting, EPOCHS, 36, SCALE)) == {4, 5, 6, 7}
    assert chosen(ENDED, [], EPOCHS, 36, SCALE) == []


def test_who_is_nearer_to_the_end_promises_more_for_an_epoch() -> None:
    waiting = [climb(4, 500, 0.52), climb(5, 500, 0.52, 0.71, 0.81)]
    assert chosen(ENDED, waiting, EPOCHS, 9, SCALE) == [5]


def test_whoever_was_chosen_is_taken_to_end_as_predicted() -> None:
    alike, other = [climb(4, 600, 0.5), climb(5, 601, 0.5)], climb(6, 150, 0.4)
    assert [chosen(ENDED, [one, other], EPOCHS, 9, SCALE) for one in alike] == [[4], [5]]
    assert chosen(ENDED, [*alike, other], EPOCHS, 18, SCALE) == [5, 6]


def test_ties_go_to_the_lower_number_whatever_the_order() -> None:
    equal = [climb(n, 500, 0.6) for n in (8, 5, 6)]
    assert chosen(ENDED, equal, EPOCHS, 9, SCALE) == [5]


def test_nobody_goes_on_where_nobody_ended() -> None:
    assert chosen([], [climb(4, 900, 0.5)], EPOCHS, 100, SCALE) == []


def test_those_who_ended_without_that_rung_tell_nothing_of_it() -> None:
    told = [LearningCurve(0, "cnn", 1000, ((10, 0.9),))]
    ((_, (mean, error)),) = predictions(told, [climb(4, 500, 0.5)], 1, SCALE)
    assert (mean, error) == (pytest.approx(SCALE.worth(0.5)), LEAST_ERROR)
