"""Where trials stand at a rung: what the stopper is told of them."""

from collections.abc import Container, Sequence

from optuna.trial import FrozenTrial

from nas_kd.driver.context import Scene
from nas_kd.front import Point, floored
from nas_kd.space.first import first_samples
from nas_kd.study.record import latest, root
from nas_kd.training import RungResult

Results = dict[int, list[RungResult]]
"""Each trial's results, rung by rung."""


def price(scene: Scene, trial: FrozenTrial) -> float:
    """What a trial's student costs, by the first budget."""
    return float(trial.user_attrs[scene.space.budgets[0].cost])


def most(scene: Scene) -> float:
    """What a student can cost: the first budget, or as much as the costliest default student where
    another budget binds."""
    fixed = scene.ledger.trials()[: len(first_samples(scene.space))]
    return min(scene.space.budgets[0].bound, max(price(scene, trial) for trial in fixed))


def place(scene: Scene, trial: FrozenTrial, accuracy: float, top: float) -> Point:
    """Where a trial stands for the stopper. Like the hypervolume it sees no cost below a tenth of
    the top one, so that of many tiny students only the best is on the front."""
    return Point(trial.number, accuracy, floored(price(scene, trial), top))


def earlier_points(
    scene: Scene, trials: Sequence[FrozenTrial], epoch: int, top: float
) -> list[Point]:
    """What all others before the last of these trials had at a rung: earlier generations, and those
    that went on between these, where a study grew inside a generation."""
    mine = {t.number for t in trials}
    before = [
        t
        for t in latest(scene.ledger.trials()[: max(mine, default=0)])
        if root(t) not in mine and "duplicate_of" not in t.user_attrs
    ]
    return [
        place(scene, trial, accuracy, top)
        for trial in before
        for at, accuracy in trial.user_attrs.get("rungs", [])
        if at == epoch
    ]


def goes_on(trial: FrozenTrial, stop: int, on: Container[int]) -> bool:
    """Whether a trial goes on from a rung; one that was told did if it was trained further,
    whatever the rule of the version that told it was."""
    if trial.state.is_finished():
        return any(epoch > stop for epoch, _ in trial.user_attrs.get("rungs", []))
    return trial.number in on


def at(results: Sequence[RungResult], rung: int) -> bool:
    """Whether a trial came to this rung without a fault."""
    return len(results) > rung and results[rung].fault is None


def everyone_at(trials: Sequence[FrozenTrial], rung: int, results: Results) -> bool:
    """Whether every trial is at this rung, or failed before."""
    mine = [results[trial.number] for trial in trials]
    return all(len(one) > rung or (one and one[-1].fault) for one in mine)


def sound(cohort: Sequence[FrozenTrial], results: Results) -> list[FrozenTrial]:
    """Those of a cohort without a fault so far."""
    return [t for t in cohort if not (results[t.number] and results[t.number][-1].fault)]
