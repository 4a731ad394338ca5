"""The stopper: a pure function that knows the front."""

from hypothesis import given
from hypothesis import strategies as st

from nas_kd.driver.stopper import gap, survivors
from nas_kd.front import Point, floored, front

LIVE = [
    Point(0, 0.50, 10),
    Point(1, 0.45, 20),
    Point(2, 0.70, 40),
    Point(3, 0.68, 50),
    Point(4, 0.30, 60),
    Point(5, 0.65, 80),
]


def test_the_front_goes_on_and_so_do_the_smallest_gaps() -> None:
    assert survivors(LIVE, [], eta=3, leaders=1) == {0, 2}
    assert survivors(LIVE, [], eta=2, leaders=1) == {0, 2, 3}


def test_earlier_generations_are_part_of_the_front() -> None:
    assert survivors(LIVE, [Point(9, 0.9, 5)], eta=6, leaders=1) == {2}


def test_the_most_accurate_go_on_though_earlier_ones_were_better() -> None:
    better = [Point(9, 0.95, 40)]
    assert survivors(LIVE, better, eta=6, leaders=1) == {0, 2}
    assert survivors(LIVE, better, eta=6, leaders=2) == {0, 2, 3}
    assert survivors(LIVE, better, eta=6, leaders=3) == {0, 2, 3, 5}


def test_a_gap_is_measured_to_the_best_at_no_more_cost() -> None:
    assert gap(LIVE[1], LIVE) == 0.5 - 0.45
    assert gap(LIVE[2], LIVE) == 0


def test_ties_go_to_the_lower_cost_then_the_lower_number() -> None:
    equal = [Point(2, 0.5, 30), Point(1, 0.5, 30), Point(0, 0.5, 20), Point(9, 0.6, 10)]
    assert survivors(equal, [], eta=2, leaders=1) == {9, 0}
    assert survivors(equal, [], eta=4, leaders=1) == {9}


POINTS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.4, 0.8]), st.sampled_from([1.0, 2.0, 4.0])), min_size=1
)


@given(POINTS, POINTS, st.floats(1.1, 4), st.integers(1, 3))
def test_neither_the_front_nor_the_most_accurate_is_stopped(
    pairs: list[tuple[float, float]], before: list[tuple[float, float]], eta: float, leaders: int
) -> None:
    live = [Point(n, accuracy, cost) for n, (accuracy, cost) in enumerate(pairs)]
    earlier = [Point(100 + n, accuracy, cost) for n, (accuracy, cost) in enumerate(before)]
    on = survivors(live, earlier, eta, leaders)
    kept = sorted((p.accuracy for p in live if p.trial in on), reverse=True)
    least = kept[min(leaders, len(live)) - 1]
    assert all(p.accuracy <= least for p in live if p.trial not in on)
    assert {point.trial for point in front([*earlier, *live])} & {p.trial for p in live} <= on
    assert len(on) >= len(live) / eta


def test_of_students_below_a_tenth_of_the_budget_only_the_best_is_on_the_front() -> None:
    tiny = [Point(0, 0.2, 10), Point(1, 0.3, 20), Point(2, 0.4, 30), Point(3, 0.9, 900)]
    seen = [Point(p.trial, p.accuracy, floored(p.cost, 1000)) for p in tiny]
    assert survivors(tiny, [], eta=4, leaders=1) == {0, 1, 2, 3}
    assert survivors(seen, [], eta=4, leaders=1) == {2, 3}
