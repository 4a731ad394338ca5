"""The front and what is chosen from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_kd.front import Point, best, front, hypervolume, knee

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


def test_the_knee_of_a_front_that_bends_the_other_way_is_its_most_accurate() -> None:
    bent = [Point(0, 0.55, 304), Point(1, 0.60, 1054), Point(2, 0.70, 2500), Point(3, 0.94, 4927)]
    assert knee(bent) == bent[-1]


def test_hypervolume_is_zero_at_chance_and_one_for_a_perfect_cheap_student() -> None:
    assert hypervolume([], 1000, 0.1, 500) == pytest.approx(0)
    assert hypervolume([Point(0, 1.0, 5)], 1000, 0.1, 500) == pytest.approx(1)
    assert hypervolume([Point(0, 1.0, 2000)], 1000, 0.1, 500) == pytest.approx(0)
    half = hypervolume([Point(0, 1.0, 1000 / 10**0.5)], 1000, 0.1, 500)
    assert half == pytest.approx(0.5, abs=0.01)
