"""The front and what is chosen from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_kd.front import (
    Point,
    at_chance,
    best,
    front,
    gain,
    hypervolume,
    knee,
    not_told_apart,
    verdict,
)

POINTS = st.lists(
    st.builds(
        Point,
        trial=st.integers(0, 99),
        accuracy=st.sampled_from([0.1, 0.5, 0.7, 0.9]),
        cost=st.sampled_from([10.0, 20.0, 40.0, 80.0]),
    ),
    max_size=12,
)


@given(POINTS)
def test_nobody_beats_the_front_and_the_front_beats_everybody_else(points: list[Point]) -> None:
    on = front(points)
    for point in points:
        assert any(p.cost <= point.cost and p.accuracy >= point.accuracy for p in on)
    for a in on:
        others = [p for p in points if (p.cost, p.accuracy) != (a.cost, a.accuracy)]
        assert not any(p.cost <= a.cost and p.accuracy >= a.accuracy for p in others)


def test_ties_for_the_best_go_to_the_lower_cost_then_the_lower_number() -> None:
    assert best([Point(3, 0.9, 20), Point(2, 0.9, 10), Point(1, 0.9, 10)]) == Point(1, 0.9, 10)
    assert best([]) is None


def test_the_knee_is_the_point_farthest_above_the_chord() -> None:
    points = [Point(0, 0.5, 10), Point(1, 0.85, 100), Point(2, 0.9, 1000)]
    assert knee(points) == points[1]
    assert knee(points[:1]) == points[0]
    assert knee([]) is None


def test_hypervolume_is_zero_at_chance_and_one_for_a_perfect_cheap_student() -> None:
    assert hypervolume([], 1000, 0.1, 500) == pytest.approx(0)
    assert hypervolume([Point(0, 1.0, 5)], 1000, 0.1, 500) == pytest.approx(1)
    assert hypervolume([Point(0, 1.0, 2000)], 1000, 0.1, 500) == pytest.approx(0)
    half = hypervolume([Point(0, 1.0, 1000 / 10**0.5)], 1000, 0.1, 500)
    assert half == pytest.approx(0.5, abs=0.01)


def test_the_verdict_says_gained_lost_or_nothing_found() -> None:
    assert verdict(0.853, 0.805, 4000, "19,026 parameters") == (
        "Distillation gained 4.8 +- 0.8 points at 19,026 parameters."
    )
    assert "lost 4.8" in verdict(0.805, 0.853, 4000, "9 parameters")
    assert "No difference" in verdict(0.805, 0.806, 4000, "9 parameters")


def test_the_error_of_a_gain_joins_both_errors() -> None:
    difference, error = gain(0.8, 0.5, 100)
    assert difference == pytest.approx(30)
    assert error == pytest.approx(100 * (0.16 / 100 + 0.25 / 100) ** 0.5)


def test_a_teacher_that_guesses_is_at_chance() -> None:
    assert at_chance(0.11, 360, 0.1)
    assert at_chance(0.0, 360, 0.1)
    assert not at_chance(0.3, 360, 0.1)


def test_students_within_an_error_of_the_best_are_not_told_apart() -> None:
    points = [Point(0, 0.90, 1), Point(1, 0.895, 1), Point(2, 0.8, 1)]
    assert not_told_apart(points, 1000) == {0, 1}
