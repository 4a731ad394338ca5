"""The stopper: a pure function that knows the front."""

from hypothesis import given
from hypothesis import strategies as st

from nas_kd.front import Point, front
from nas_kd.study.stopper import gap, survivors

LIVE = [
    Point(0, 0.50, 10),
    Point(1, 0.45, 20),
    Point(2, 0.70, 40),
    Point(3, 0.68, 50),
    Point(4, 0.30, 60),
    Point(5, 0.65, 80),
]


def test_the_front_goes_on_and_so_do_the_smallest_gaps() -> None:
    assert survivors(LIVE, [], eta=3) == {0, 2}
    assert survivors(LIVE, [], eta=2) == {0, 2, 3}


def test_earlier_generations_are_part_of_the_front() -> None:
    assert survivors(LIVE, [Point(9, 0.9, 5)], eta=6) == {2}


def test_the_most_accurate_goes_on_though_earlier_ones_were_better() -> None:
    assert survivors(LIVE, [Point(9, 0.95, 40)], eta=6) == {0, 2}


def test_a_gap_is_measured_to_the_best_at_no_more_cost() -> None:
    assert gap(LIVE[1], LIVE) == 0.5 - 0.45
    assert gap(LIVE[2], LIVE) == 0


def test_ties_go_to_the_lower_cost_then_the_lower_number() -> None:
    equal = [Point(2, 0.5, 30), Point(1, 0.5, 30), Point(0, 0.5, 20), Point(9, 0.6, 10)]
    assert survivors(equal, [], eta=2) == {9, 0}
    assert survivors(equal, [], eta=4) == {9}


POINTS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.4, 0.8]), st.sampled_from([1.0, 2.0, 4.0])), min_size=1
)


@given(POINTS, st.integers(2, 4))
def test_nobody_on_the_front_is_stopped(pairs: list[tuple[float, float]], eta: int) -> None:
    live = [Point(n, accuracy, cost) for n, (accuracy, cost) in enumerate(pairs)]
    on = survivors(live, [], eta)
    assert {point.trial for point in front(live)} <= on
    assert len(on) >= len(live) / eta
