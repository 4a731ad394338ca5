"""One student, whatever became of it."""

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState


def root(trial: FrozenTrial) -> int:
    """The trial by which a student was first proposed: its own number, or the one it continues."""
    return int(trial.user_attrs.get("continues", trial.number))


def latest(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """One trial for each student, by number: those that went on are left to what continues them,
    unless that was cancelled."""
    last = {root(t): t for t in trials if t.state != TrialState.FAIL or root(t) == t.number}
    return sorted(last.values(), key=lambda t: t.number)
