"""One generation: propose all of it, train it rung by rung, tell all of it in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from nas_kd.driver.ask import propose_missing
from nas_kd.driver.cohorts import cohorts, student, waits
from nas_kd.driver.context import Scene, member, rung_job
from nas_kd.driver.events import Ended, Scored, Started
from nas_kd.driver.jobs import train_students
from nas_kd.driver.rung_points import (
    Results,
    at,
    earlier_points,
    everyone_at,
    goes_on,
    most,
    place,
    price,
    sound,
)
from nas_kd.driver.stopper import LEADERS, survivors
from nas_kd.space.first import never_stopped
from nas_kd.study.checkpoints import find, forget, keep, keep_last, keep_student
from nas_kd.study.record import latest, root
from nas_kd.training import RungResult

Span = tuple[int, int]
"""The epochs from one rung to the next: the first, and the one after the last."""

Beside = Callable[[Scene, Results], None]
"""What may train beside the last students, given the results so far of those that go on."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What the last generation does beside its last span: at its start, and whenever a worker
    would wait."""

    start: Beside
    idle: Beside


def run_generation(scene: Scene, first: int, ending: Ending | None = None) -> None:
    """Propose, train and tell the generation that starts at place `first` of the asked trials."""
    places = range(first, min(first + scene.spec.generation, scene.spec.trials))
    propose_missing(scene, places)
    trials = scene.ledger.asked()[places.start : places.stop]
    if all(trial.state.is_finished() for trial in trials):
        return
    results = climb(scene, [t for t in trials if taking_part(t)], ending)
    for trial in trials:
        if trial.state == TrialState.RUNNING:
            tell(scene, trial, results.get(trial.number, []))


def taking_part(trial: FrozenTrial) -> bool:
    """Whether a trial is compared with its generation: told or not, but trained and not cancelled.

    After a crash between two tells the told ones still decide who is stopped.
    """
    return trial.state != TrialState.FAIL and "duplicate_of" not in trial.user_attrs


def climb(scene: Scene, trials: Sequence[FrozenTrial], ending: Ending | None) -> Results:
    """Train the trials from rung to rung; each has results up to where it was stopped.

    The fixed first trials are what others are compared with, so they are never stopped and wait
    for nobody. Those of the ladder come first and go to their end at once, for with them there is
    a front (unless there are workers for all); the default students fill the time in which the
    others wait for one another.
    """
    results: Results = {trial.number: [] for trial in trials}
    defaults, narrow = never_stopped(scene.space)
    steady = {*defaults, *narrow}
    spans = list(pairwise((0, *scene.spec.rungs, scene.spec.epochs)))
    live, top = list(trials), most(scene)
    for rung, (_, stop) in enumerate(spans):
        last = rung == len(spans) - 1
        fill = None
        if last and ending:
            going = {t.number: results[t.number] for t in live}
            ending.start(scene, going)
            fill = partial(ending.idle, scene, going)
        pieces = cohorts(scene, live, apart=(defaults, narrow))
        queued = len(pieces) > 2 * scene.crew.workers
        for cohort in sorted(pieces, key=lambda piece: piece[0].number not in narrow):
            number = cohort[0].number
            if number not in steady:
                advance(scene, cohort, spans[rung : rung + 1], results)
            elif rung == 0:
                ahead = queued and number in narrow
                advance(scene, cohort, spans, results, len(spans) if ahead else 1)
        scene.crew.drain(partial(everyone_at, live, rung, results), fill)
        live = [t for t in live if at(results[t.number], rung)]
        if not last:
            points = [place(scene, t, results[t.number][rung].accuracy, top) for t in live]
            before = earlier_points(scene, trials, stop, top)
            on = survivors(points, before, scene.spec.eta, LEADERS)
            further = [t for t in live if goes_on(t, stop, on | steady)]
            for trial in live:
                if trial not in further:
                    say(scene, trial, results[trial.number][-1], f"stopped at epoch {stop}")
            live = further
    return results


def advance(
    scene: Scene,
    cohort: Sequence[FrozenTrial],
    spans: Sequence[Span],
    results: Results,
    at_once: int = 1,
) -> None:
    """Train a cohort through these spans of epochs, so many of them a job, but for what was kept.

    A cohort of which only some results were kept is trained again as a whole: what it computes
    depends, in the last bits, on who is in it.
    """
    cohort = sound(cohort, results)
    if not spans or not cohort:
        return
    (start, stop), *further = spans
    kept = {t.number: recorded(t, stop) or find(scene.folder, t.number, stop) for t in cohort}
    if all(kept.values()):
        arrive(scene, cohort, results, tuple(filter(None, kept.values())))
        advance(scene, cohort, further, results, at_once)
        return
    missing = cohort
    if start and any(not results[t.number][-1].checkpoint for t in cohort):
        done = [t for t in cohort if kept[t.number]]  # told, and its checkpoints removed
        arrive(scene, done, results, tuple(filter(None, kept.values())))
        missing = [t for t in cohort if t not in done and not t.state.is_finished()]
        cohort, at_once = [*done, *missing], 1
        if not missing:
            advance(scene, cohort, further, results)
            return
    go_on = partial(advance, scene, cohort, spans[at_once:], results, at_once)
    go = partial(send, scene, missing, spans[:at_once], results, go_on)
    if waits(scene, cohort[0]):
        scene.signals.when(go)
    else:
        go()


def recorded(trial: FrozenTrial, epoch: int) -> RungResult | None:
    """What a told trial had at a rung, without its checkpoint."""
    fault = trial.user_attrs.get("fault")
    for there, accuracy in trial.user_attrs.get("rungs", []):
        if there == epoch and trial.state.is_finished():
            last = there == trial.user_attrs["rungs"][-1][0]
            return RungResult(trial.number, accuracy, there, 0.0, b"", fault if last else None)
    return None


def send(
    scene: Scene,
    cohort: Sequence[FrozenTrial],
    spans: Sequence[Span],
    results: Results,
    then: Callable[[], None],
) -> None:
    """Send a cohort out to be trained through spans of epochs; `then` follows its results."""
    start, stop = spans[0]
    stops = [end for _, end in spans]
    before = {n: results[n][-1].checkpoint if results[n] else None for n in numbers(cohort)}
    members = [
        member(scene, t.number, student(t), scene.sample(t), before[t.number], root(t))
        for t in cohort
    ]
    first = cohort[0].number
    name = f"trial{'s' * (len(cohort) > 1)} " + ", ".join(map(str, numbers(cohort)))
    progress = scene.folder.progress(f"{first:05}")
    scene.observe(Started(name, stops[-1] - start, progress))

    def arrived(given: tuple[tuple[RungResult, ...], ...]) -> None:
        progress.unlink(missing_ok=True)
        scene.observe(Ended(name))
        told = {trial.number for trial in cohort if trial.state.is_finished()}
        for result in chain(*given):
            if result.trial not in told:
                keep(scene.folder, result)
        for at_rung in given:
            arrive(scene, sound(cohort, results), results, at_rung)
        then()

    job = rung_job(scene, members, start, stop)
    scene.crew.submit(train_students, job, stops[1:], progress, then=arrived)


def numbers(trials: Sequence[FrozenTrial]) -> list[int]:
    """The numbers of trials."""
    return [trial.number for trial in trials]


def arrive(
    scene: Scene,
    cohort: Sequence[FrozenTrial],
    results: Results,
    given: tuple[RungResult, ...],
) -> None:
    """Take kept results, and say so where one is the trial's last."""
    for trial, result in zip(cohort, given, strict=True):
        results[trial.number].append(result)
        if result.fault or result.epochs == scene.spec.epochs:
            say(scene, trial, result, result.fault)


def say(scene: Scene, trial: FrozenTrial, result: RungResult, stopped: str | None) -> None:
    """Tell whoever listens how a trial ended, unless it was told before."""
    if trial.state.is_finished():
        return
    sample = scene.sample(trial)
    scene.observe(
        Scored(
            trial.number,
            student(trial),
            result.accuracy,
            trial.user_attrs[scene.space.budgets[0].cost],
            sample["temperature"],
            sample["alpha"],
            stopped,
            scene.space.budgets[0].cost,
            trial.user_attrs.get("continues"),
        )
    )


def tell(scene: Scene, trial: FrozenTrial, results: Sequence[RungResult]) -> None:
    """Finish a trial: its student is on disk before, its checkpoints are removed after, but for
    the last one of a stopped student, which may go on from there."""
    if "duplicate_of" in trial.user_attrs:
        same = trial.user_attrs["duplicate_of"]
        original = next(t for t in latest(scene.ledger.trials()) if root(t) == same)
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
        values = (last.accuracy, price(scene, trial))
        keep_student(scene.folder, student(trial), last)
    scene.ledger.tell(trial.number, values, facts)
    if values or last.fault or not scene.spec.second_chances:
        forget(scene.folder, trial.number)
    else:
        keep_last(scene.folder, last)
