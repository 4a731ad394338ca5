"""How sure accuracies are: Wilson's interval, differences, chance, the verdict."""

from dataclasses import astuple

import pytest
from scipy.stats import binomtest

from nas_kd.front import Point
from nas_kd.intervals import (
    at_chance,
    gain,
    half_width,
    interval,
    interval_in_words,
    not_told_apart,
    told_from_chance,
)


@pytest.mark.parametrize(
    ("right", "examples"), [(7, 7), (0, 7), (3, 20), (360, 400), (9900, 10000)]
)
def test_the_interval_is_wilsons(right: int, examples: int) -> None:
    reference = binomtest(right, examples).proportion_ci(0.95, method="wilson")
    found = interval(right / examples, examples)
    assert found == pytest.approx((reference.low, reference.high), abs=1e-4)


def test_seven_of_seven_are_not_sure_to_be_all() -> None:
    assert interval_in_words(1.0, 7) == "100.00 (64.57 to 100.00)"
    assert half_width(1.0, 7) > 0.05
    assert half_width(0.9, 10_000) == pytest.approx((0.9 * 0.1 / 10_000) ** 0.5, rel=0.01)


def test_a_difference_of_two_sure_looking_accuracies_has_an_interval() -> None:
    # Newcombe 1998, table II, (b) 9/10 - 3/10, method 10: 0.1705 to 0.8090
    assert astuple(gain(0.9, 0.3, 10)) == pytest.approx((0.6, 0.1705, 0.8090), abs=1e-4)
    assert astuple(gain(1.0, 1.0, 7)) == pytest.approx((0, -0.3543, 0.3543), abs=1e-4)


@pytest.mark.parametrize(
    ("accuracy", "examples", "chance", "told", "stops"),
    [
        (0.11, 360, 0.1, False, True),
        (0.0, 360, 0.1, False, True),
        (0.3, 360, 0.1, True, False),
        (0.6, 20, 0.5, False, False),  # 12 of 20: nobody knows yet
        (0.2, 20, 0.1, False, False),
        (0.502, 100_000, 0.5, False, True),
        (0.51, 100_000, 0.5, True, False),
        (1.0, 20, 0.5, True, False),
    ],
)
def test_a_teacher_that_guesses_stops_a_search_and_one_that_is_not_known_does_not(
    accuracy: float, examples: int, chance: float, told: bool, stops: bool
) -> None:
    assert told_from_chance(accuracy, examples, chance) is told
    assert at_chance(accuracy, examples, chance) is stops


def test_students_within_an_error_of_the_best_are_not_told_apart() -> None:
    points = [Point(0, 0.90, 1), Point(1, 0.895, 1), Point(2, 0.8, 1)]
    assert not_told_apart(points, 1000) == {0, 1}
    assert not_told_apart([Point(0, 1.0, 1), Point(1, 0.96, 1)], 20) == {0, 1}
