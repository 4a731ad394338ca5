"""One generation: propose all of it, train it rung by rung, tell all of it in order."""

import json
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from nas_kd.costs import COSTS
from nas_kd.front import Point
from nas_kd.students.decode import cost, counts
from nas_kd.students.family import StudentConfig
from nas_kd.study.checkpoints import find, forget, keep, keep_student
from nas_kd.study.events import Ended, Scored, Started
from nas_kd.study.jobs import train_students
from nas_kd.study.proposal import propose_all
from nas_kd.study.scene import Scene, member, rung_job
from nas_kd.study.space import Sample, distributions
from nas_kd.study.stopper import survivors
from nas_kd.training import RungResult

Results = dict[int, list[RungResult]]
"""Each trial's results, rung by rung."""


def run_generation(scene: Scene, first: int) -> None:
    """Propose, train and tell the trials of the generation that starts with number `first`."""
    numbers = range(first, min(first + scene.spec.generation, scene.spec.trials))
    propose_missing(scene, numbers)
    trials = [scene.ledger.trials()[number] for number in numbers]
    if all(trial.state.is_finished() for trial in trials):
        return
    results = climb(scene, [t for t in trials if taking_part(t)])
    for trial in trials:
        if trial.state == TrialState.RUNNING:
            tell(scene, trial, results.get(trial.number, []))


def taking_part(trial: FrozenTrial) -> bool:
    """Whether a trial is compared with its generation: told or not, but trained and not cancelled.

    After a crash between two tells the told ones still decide who is stopped.
    """
    return trial.state != TrialState.FAIL and "duplicate_of" not in trial.user_attrs


def propose_missing(scene: Scene, numbers: Sequence[int]) -> None:
    """Write the trials that are not proposed yet, each with all that is known before training."""
    known = scene.ledger.trials()
    missing = [number for number in numbers if number >= len(known)]
    if not missing:
        return
    asked = distributions(scene.space)
    seen = {identity(t.user_attrs): t.number for t in reversed(known)}
    for number, sample in propose_all(known, missing, scene.space):
        config = scene.space.student(sample)
        facts = attributes(scene, config) | {"settings": settings(sample)}
        key = identity(facts)
        if key in seen:
            facts["duplicate_of"] = seen[key]
        seen.setdefault(key, number)
        scene.ledger.propose({name: sample[name] for name in asked}, asked, facts)


def settings(sample: Sample) -> str:
    """What a trial has beside its student, in canonical JSON."""
    names = ("alpha", "knowledge", "learning_rate", "temperature")
    return json.dumps({name: sample[name] for name in names})


def identity(attributes: dict[str, Any]) -> str:
    """What makes two trials the same: student and settings."""
    return str(attributes["student"] + attributes["settings"])


def attributes(scene: Scene, config: StudentConfig) -> dict[str, Any]:
    """What is known of a student before it is trained."""
    size = counts(config)
    first = scene.space.budgets[0]
    return {
        "channels": config.label(),
        **{name: count(size, config.bits) for name, count in COSTS.items()},
        "fill": round(cost(config, first) / first.bound, 4),
        "student": config.to_json(),
    }


def student(trial: FrozenTrial) -> StudentConfig:
    """The student of a stored trial."""
    return StudentConfig.from_json(trial.user_attrs["student"])


def climb(scene: Scene, trials: Sequence[FrozenTrial]) -> Results:
    """Train the trials from rung to rung; each has results up to where it was stopped."""
    results: Results = {trial.number: [] for trial in trials}
    live = list(trials)
    for start, stop in pairwise((0, *scene.spec.rungs, scene.spec.epochs)):
        train_to(scene, live, start, stop, results)
        live = [t for t in live if results[t.number][-1].fault is None]
        if stop < scene.spec.epochs:
            points = [point(scene, t, results[t.number][-1].accuracy) for t in live]
            on = survivors(points, earlier_points(scene, trials, stop), scene.spec.eta)
            for trial in live:
                if trial.number not in on:
                    say(scene, trial, results[trial.number][-1], f"stopped at epoch {stop}")
            live = [t for t in live if t.number in on]
    return results


def train_to(
    scene: Scene, trials: Sequence[FrozenTrial], start: int, stop: int, results: Results
) -> None:
    """Train every trial that has no result at this rung yet; the longest goes out first."""
    for trial in sending_order(scene, trials):
        before = results[trial.number][-1].checkpoint if results[trial.number] else None
        kept = recorded(trial, stop) or find(scene.folder, trial.number, stop)
        if kept:
            arrive(scene, trial, results, (kept,))
        elif not taught(scene, trial):
            send(scene, trial, before, start, stop, results)
        else:
            scene.signals.when(partial(send, scene, trial, before, start, stop, results))
    scene.crew.drain()


def recorded(trial: FrozenTrial, epoch: int) -> RungResult | None:
    """What a told trial had at a rung, without its checkpoint."""
    fault = trial.user_attrs.get("fault")
    for at, accuracy in trial.user_attrs.get("rungs", []):
        if at == epoch and trial.state.is_finished():
            last = at == trial.user_attrs["rungs"][-1][0]
            return RungResult(trial.number, accuracy, at, 0.0, b"", fault if last else None)
    return None


def taught(scene: Scene, trial: FrozenTrial) -> bool:
    """Whether a trial needs the teacher's signals."""
    return bool(scene.sample(trial)["alpha"] > 0)


def sending_order(scene: Scene, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The longest first, so that workers end together.

    While the teacher is not ready, students that do not need it come before, the shortest first:
    there is time, and somebody is waiting for a first result.
    """
    waiting = scene.signals.value is None
    size = {t.number: t.user_attrs["macs"] for t in trials}
    early = [t for t in trials if waiting and not taught(scene, t)]
    late = [t for t in trials if t not in early]
    return [
        *sorted(early, key=lambda t: (size[t.number], t.number)),
        *sorted(late, key=lambda t: (-size[t.number], t.number)),
    ]


def send(
    scene: Scene,
    trial: FrozenTrial,
    checkpoint: bytes | None,
    start: int,
    stop: int,
    results: Results,
) -> None:
    """Send a trial out to be trained through the epochs [start, stop)."""
    one = member(scene, trial.number, student(trial), scene.sample(trial), checkpoint)
    name = f"trial {trial.number}"
    progress = scene.folder.progress(f"{trial.number:05}")
    scene.observe(Started(name, stop - start, progress))

    def arrived(given: tuple[RungResult, ...]) -> None:
        progress.unlink(missing_ok=True)
        scene.observe(Ended(name))
        keep(scene.folder, given[0])
        arrive(scene, trial, results, given)

    scene.crew.submit(train_students, rung_job(scene, one, start, stop), progress, then=arrived)


def arrive(
    scene: Scene, trial: FrozenTrial, results: Results, given: tuple[RungResult, ...]
) -> None:
    """Take a kept result, and say so if it is the trial's last."""
    result = given[0]
    results[trial.number].append(result)
    if result.fault or result.epochs == scene.spec.epochs:
        say(scene, trial, result, result.fault)


def say(scene: Scene, trial: FrozenTrial, result: RungResult, stopped: str | None) -> None:
    """Tell whoever listens how a trial ended, unless it was told before."""
    if trial.state.is_finished():
        return
    sample = scene.sample(trial)
    price = trial.user_attrs[scene.space.budgets[0].cost]
    scene.observe(
        Scored(
            trial.number,
            student(trial),
            result.accuracy,
            price,
            sample["temperature"],
            sample["alpha"],
            stopped,
            scene.space.budgets[0].cost,
        )
    )


def point(scene: Scene, trial: FrozenTrial, accuracy: float) -> Point:
    """A trial's place in the plane of cost and accuracy."""
    return Point(trial.number, accuracy, trial.user_attrs[scene.space.budgets[0].cost])


def earlier_points(scene: Scene, trials: Sequence[FrozenTrial], epoch: int) -> list[Point]:
    """What all earlier generations had at a rung."""
    first = min((t.number for t in trials), default=0)
    before = [t for t in scene.ledger.trials()[:first] if "duplicate_of" not in t.user_attrs]
    return [
        point(scene, trial, accuracy)
        for trial in before
        for at, accuracy in trial.user_attrs.get("rungs", [])
        if at == epoch
    ]


def tell(scene: Scene, trial: FrozenTrial, results: Sequence[RungResult]) -> None:
    """Finish a trial: its student is on disk before, its checkpoints are removed after."""
    if "duplicate_of" in trial.user_attrs:
        original = scene.ledger.trials()[trial.user_attrs["duplicate_of"]]
        scene.ledger.tell(trial.number, original.values, {})
        return
    last = results[-1]
    facts: dict[str, Any] = {
        "rungs": [[result.epochs, result.accuracy] for result in results],
        "seconds": round(sum(result.seconds for result in results), 2),
    }
    values = None
    if last.fault:
        facts["fault"] = last.fault
    elif last.epochs == scene.spec.epochs:
        values = (last.accuracy, point(scene, trial, last.accuracy).cost)
        keep_student(scene.folder, student(trial), last)
    scene.ledger.tell(trial.number, values, facts)
    forget(scene.folder, trial.number)
