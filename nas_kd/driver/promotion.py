"""Second chances: after each generation, stopped students that now promise most go on to their end.

At a rung a student is compared with what is known there; later it is known how students of its cost
and family rose from that rung. A finished trial of Optuna never changes, so a student goes on as a
trial of its own, which `continues` the stopped one.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import groupby, pairwise

from optuna.trial import FrozenTrial, TrialState

from nas_kd.driver.ask import propose_again
from nas_kd.driver.cohorts import cohorts, student
from nas_kd.driver.context import Scene
from nas_kd.driver.events import Step
from nas_kd.driver.expected_improvement import Climb, Scale, chosen
from nas_kd.driver.generation import Ending, advance, tell
from nas_kd.driver.rung_points import Results, everyone_at, most, price
from nas_kd.space.first import never_stopped
from nas_kd.study.checkpoints import find, forget
from nas_kd.study.database import asked
from nas_kd.study.record import latest, root
from nas_kd.training import RungResult


def give_chances(scene: Scene, end: int, ending: Ending | None = None) -> None:
    """Let stopped students go on after the generation that ends before this place of the asked.

    Nobody goes on before all fixed first students ended, which the others are compared with. All of
    a generation's are proposed before any of them is told; what was begun is finished, also where a
    study that was interrupted goes on with more trials, and its generations end elsewhere.
    """
    trials = scene.ledger.trials()
    proposed = asked(trials)
    following = proposed[end].number if len(proposed) > end else None
    _, narrow = never_stopped(scene.space)
    if following is None and end >= narrow.stop:
        propose_promising(scene, trials, proposed[-1].number + 1)
    going = [
        trial
        for trial in scene.ledger.trials()[:following]
        if trial.state == TrialState.RUNNING and "continues" in trial.user_attrs
    ]
    if going:
        roots = ", ".join(str(root(trial)) for trial in going)
        scene.observe(Step(f"chances   trial{'s' * (len(going) > 1)} {roots} will go on"))
        finish(scene, going, ending)


def propose_promising(scene: Scene, trials: list[FrozenTrial], first: int) -> None:
    """Propose those that go on, from number `first` on, unless some of them are told already."""
    before, begun = trials[:first], trials[first:]
    if any(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in begun):
        return
    known = {root(trial) for trial in begun}
    for number in promising(scene, before):
        if number not in known:
            propose_again(scene, before[number])


def promising(scene: Scene, trials: list[FrozenTrial]) -> list[int]:
    """The stopped trials that go on, of all so far."""
    spec, facts = scene.spec, scene.ledger.facts()
    now, gone = latest(trials), {root(t) for t in trials if "continues" in t.user_attrs}
    climbs = {t.number: climb_of(scene, t) for t in now if t.user_attrs.get("rungs")}
    spent = sum(climb.rungs[-1][0] for climb in climbs.values())
    allowed = int(spec.second_chances * spec.epochs * len(climbs))
    ended = [climbs[t.number] for t in now if t.number in climbs and t.state == TrialState.COMPLETE]
    waiting = [
        climbs[t.number]
        for t in now
        if t.number in climbs
        and t.state == TrialState.PRUNED
        and "fault" not in t.user_attrs
        and t.number not in gone
    ]
    scale = Scale(most(scene), facts["chance"], facts["examples"])
    return chosen(ended, waiting, spec.epochs, allowed - spent, scale)


def climb_of(scene: Scene, trial: FrozenTrial) -> Climb:
    """How far a told trial came."""
    rungs = tuple((int(epoch), float(accuracy)) for epoch, accuracy in trial.user_attrs["rungs"])
    return Climb(trial.number, student(trial).family, price(scene, trial), rungs)


def finish(scene: Scene, going: list[FrozenTrial], ending: Ending | None) -> None:
    """Train trials from where those that they continue were stopped to their end, and tell them."""
    trials = scene.ledger.trials()
    results: Results = {t.number: so_far(scene, t.number, trials[root(t)]) for t in going}

    def start(trial: FrozenTrial) -> int:
        return results[trial.number][-1].epochs if results[trial.number] else 0

    pieces = [
        (first, piece)
        for first, group in groupby(sorted(going, key=start), key=start)
        for piece in cohorts(scene, list(group))
    ]
    ends = (*scene.spec.rungs, scene.spec.epochs)
    for first, piece in pieces:
        spans = list(pairwise((first, *(end for end in ends if end > first))))
        advance(scene, piece, spans, results)
    idle: Callable[[], None] | None = partial(ending.idle, scene, results) if ending else None
    scene.crew.drain(partial(everyone_at, going, len(scene.spec.rungs), results), idle)
    for trial in going:
        tell(scene, trial, results[trial.number])
        forget(scene.folder, root(trial))


def so_far(scene: Scene, number: int, stopped: FrozenTrial) -> list[RungResult]:
    """What a stopped trial had at its rungs, as results of the trial that continues it, the last
    with its checkpoint; nothing if that is lost, and the student is trained anew."""
    rungs = stopped.user_attrs["rungs"]
    kept = find(scene.folder, stopped.number, rungs[-1][0])
    if kept is None:
        return []
    results = [RungResult(number, accuracy, epoch, 0.0, b"") for epoch, accuracy in rungs]
    return [*results[:-1], replace(results[-1], checkpoint=kept.checkpoint)]
