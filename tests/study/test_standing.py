"""What the stopper is told of trials."""

import pytest
from optuna.trial import TrialState, create_trial

from nas_kd.study.standing import goes_on


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
