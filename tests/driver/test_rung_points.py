"""What the stopper is told of trials."""

import pytest

from nas_kd.driver.rung_points import earlier_points, goes_on
from nas_kd.study.record import State, StudentRecord
from tests.conftest import record


@pytest.mark.parametrize(
    ("state", "rungs", "on", "expected"),
    [
        ("asked", (), {0}, True),
        ("asked", (), set(), False),
        ("stopped", ((1, 0.5),), {0}, False),
        ("stopped", ((1, 0.5), (3, 0.6)), set(), True),
    ],
)
def test_a_trial_that_was_told_stays_as_it_was_told(
    state: State, rungs: tuple[tuple[int, float], ...], on: set[int], expected: bool
) -> None:
    assert goes_on(record(state=state, rungs=rungs), 1, on) is expected


def test_the_others_at_a_rung_are_those_of_earlier_generations() -> None:
    def told(number: int, accuracy: float, **links: int) -> StudentRecord:
        return record(number, state="stopped", rungs=((1, accuracy),), **links)

    records = [told(0, 0.1), told(1, 0.2), told(2, 0.2, duplicate_of=1), told(3, 0.5), record(4)]
    earlier = earlier_points(records, records[3:], 1, "parameters", 100.0)
    assert [(point.trial, point.accuracy) for point in earlier] == [(0, 0.1), (1, 0.2)]
    assert earlier_points(records, records[:2], 1, "parameters", 100.0) == []
