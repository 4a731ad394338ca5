"""What the stopper is told of trials."""

from types import SimpleNamespace
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas_kd.driver.rung_points import earlier_points, goes_on


@pytest.mark.parametrize(
    ("state", "rungs", "on", "expected"),
    [
        (TrialState.RUNNING, [], {0}, True),
        (TrialState.RUNNING, [], set(), False),
        (TrialState.PRUNED, [[1, 0.5]], {0}, False),
        (TrialState.PRUNED, [[1, 0.5], [3, 0.6]], set(), True),
    ],
)
def test_a_trial_that_was_told_stays_as_it_was_told(
    state: TrialState, rungs: list[list[float]], on: set[int], expected: bool
) -> None:
    trial = create_trial(state=state, user_attrs={"rungs": rungs})
    trial.number = 0
    assert goes_on(trial, 1, on) is expected


def test_the_others_at_a_rung_are_all_that_were_told_before_the_last_of_a_generation() -> None:
    def told(number: int, accuracy: float, **facts: object) -> FrozenTrial:
        attributes = {"parameters": 100, "rungs": [[1, accuracy]]} | facts
        trial = create_trial(state=TrialState.PRUNED, user_attrs=attributes)
        trial.number = number
        return trial

    trials = [
        told(0, 0.1), told(1, 0.2), told(2, 0.3), told(3, 0.1, continues=0),
        told(4, 0.3, continues=2), told(5, 0.4), told(6, 0.4, duplicate_of=5), told(7, 0.5),
    ]  # fmt: skip
    budget = SimpleNamespace(cost="parameters")
    scene: Any = SimpleNamespace(
        ledger=SimpleNamespace(trials=lambda: trials), space=SimpleNamespace(budgets=[budget])
    )
    grown = earlier_points(scene, [trials[2], trials[5]], 1, 100.0)
    assert [(point.trial, point.accuracy) for point in grown] == [(1, 0.2), (3, 0.1)]
    assert earlier_points(scene, trials[:2], 1, 100.0) == []
