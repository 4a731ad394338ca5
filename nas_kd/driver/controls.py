"""What the found student must beat, trained outside the trials, when the last of them are done.

Which twin is wanted is known only when all are told. One is begun before where it is likely to be
that: of a student that leads clearly at the last rung, since a twin is the longest job that is
left, and of the best so far when a worker would wait.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from nas_kd.driver.ask import attributes, settings
from nas_kd.driver.cohorts import student, taught
from nas_kd.driver.context import Reached, Scene, member, rung_job, taught_pair
from nas_kd.driver.events import Ended, Started, Step
from nas_kd.driver.jobs import train_students
from nas_kd.driver.rung_points import Results, price
from nas_kd.front import Point, best, not_told_apart
from nas_kd.metrics import METRICS
from nas_kd.space.first import default_sample, first_samples
from nas_kd.space.sample import complete
from nas_kd.space.space import Sample
from nas_kd.students.family import StudentConfig
from nas_kd.study.record import root
from nas_kd.training import RungResult
from nas_kd.workers.job_queue import Awaited


@dataclass(frozen=True, slots=True)
class Control:
    """A student to be trained once: its name, the trial that it is compared with, its sample, and
    the trial whose initial weights it has."""

    name: str
    trial: int
    sample: Sample
    root: int


def wanted(scene: Scene) -> list[Control]:
    """The best taught student's twin without the teacher, and defaults that are no trials."""
    if not any(t.state == TrialState.COMPLETE for t in scene.ledger.trials()):
        return []
    controls = []
    if (twin := twin_of_the_best(scene, {})) is not None:
        controls.append(twin)
    if all(sample["alpha"] > 0 for sample in first_samples(scene.space)):
        controls += [
            Control(f"largest {name} alone", n, default_sample(scene.space, name, 0.0), n)
            for n, name in enumerate(scene.space.families)
        ]
    return controls


def twin_of_the_best(scene: Scene, results: Results) -> Control | None:
    """The twin of the best taught student among those that are told, or have these results."""
    trials = scene.ledger.trials()
    told = [Point(t.number, *t.values) for t in trials if t.state == TrialState.COMPLETE]
    ended = [
        Point(number, kept[-1].accuracy, price(scene, trials[number]))
        for number, kept in results.items()
        if kept and kept[-1].epochs == scene.spec.epochs and not kept[-1].fault
    ]
    top = best(point for point in (*told, *ended) if taught(scene, trials[point.trial]))
    return None if top is None else twin_of(scene, top.trial)


def twin_of(scene: Scene, trial: int) -> Control:
    """A trial's twin without the teacher."""
    stored = scene.ledger.trials()[trial]
    return Control("twin", trial, scene.sample(stored) | {"alpha": 0.0}, root(stored))


def begin_twin_of_the_leader(scene: Scene, going: Results) -> None:
    """Begin the twin that is likely to be wanted, judged by the accuracy at the last rung of the
    taught students that go on from there, now or in an earlier generation.

    It must be the best of all, and no other whose twin is no trial already within one standard
    error of it. With one worker there is nothing to gain.
    """
    if not scene.spec.rungs or scene.crew.workers < 2:
        return
    stop, trials = scene.spec.rungs[-1], scene.ledger.trials()
    told = [t for t in trials if t.state == TrialState.COMPLETE]
    at_rung = {t.number: dict(t.user_attrs.get("rungs", [])).get(stop) for t in told}
    at_rung |= {n: {r.epochs: r.accuracy for r in kept}.get(stop) for n, kept in going.items()}
    points = [
        Point(number, accuracy, price(scene, trials[number]))
        for number, accuracy in at_rung.items()
        if accuracy is not None and taught(scene, trials[number])
    ]
    near = not_told_apart(points, scene.ledger.facts()["examples"])
    twins = [twin for n in near if trial_of(scene, twin := twin_of(scene, n)) is None]
    top = best(points)
    if top and [twin.trial for twin in twins] == [top.trial]:
        begin(scene, twins[0])


def begin_twin(scene: Scene, going: Results) -> None:
    """Have a worker that would wait train the twin of the student that is the best so far."""
    twin = twin_of_the_best(scene, going)
    if twin is not None:
        begin(scene, twin)


def begin(scene: Scene, twin: Control) -> None:
    """Train a twin, unless it is begun, or known, or a trial."""
    if scene.signals.value is None or twin.trial in scene.twins or is_known(scene, twin):
        return
    if not trial_of(scene, twin):
        scene.twins[twin.trial] = train(scene, twin)


def run_controls(scene: Scene) -> None:
    """Train the controls that are missing, and keep their results as facts of the study.

    A default student's twin is a trial already. Twins that were begun and are not wanted are not
    waited for.
    """
    awaited: list[Awaited[Reached]] = []
    for control in wanted(scene):
        if is_known(scene, control):
            continue
        begun = scene.twins.get(control.trial) if control.name == "twin" else None
        pair = trial_of(scene, control)
        if pair and pair.state == TrialState.COMPLETE:
            begun = Awaited()
            begun.set((float(pair.values[0]), None))
        reached = begun or train(scene, control)
        reached.when(partial(note, scene, control, reached))
        awaited.append(reached)
    ready = scene.signals
    scene.crew.drain(lambda: None not in (ready.value, *(one.value for one in awaited)))


def is_known(scene: Scene, control: Control) -> bool:
    """Whether a control's result is a fact of the study already."""
    kept = scene.ledger.facts().get(control.name)
    return kept is not None and kept["trial"] == control.trial


def trial_of(scene: Scene, control: Control) -> FrozenTrial | None:
    """The trial that a twin is already: same student, weights and settings."""
    trials = scene.ledger.trials()
    for trial in trials[: len(first_samples(scene.space))]:
        same = (
            "duplicate_of" not in trial.user_attrs
            and taught_pair(scene.space, trial.number) == control.trial
            and trial.user_attrs["student"] == trials[control.trial].user_attrs["student"]
            and scene.sample(trial) == complete(scene.space, control.sample)
        )
        if same and control.name == "twin":
            return trial
    return None


def built(scene: Scene, control: Control) -> StudentConfig:
    """A control's student. The twin is the winner's own."""
    if control.name == "twin":
        return student(scene.ledger.trials()[control.trial])
    return scene.space.student(control.sample)


def note(scene: Scene, control: Control, reached: Awaited[Reached]) -> None:
    """Keep a control's result, and say it; one that failed has no accuracy."""
    assert reached.value is not None
    accuracy, fault = reached.value
    facts: dict[str, Any] = attributes(scene, built(scene, control))
    facts |= {"trial": control.trial, "accuracy": None if fault else accuracy, "fault": fault}
    facts["settings"] = settings(control.sample)
    scene.ledger.note(control.name, facts)
    said = fault or f"{100 * accuracy:.1f}%"
    scene.observe(Step(f"control   {control.name} of trial {control.trial}: {said}"))


def train(scene: Scene, control: Control) -> Awaited[Reached]:
    """Send a control out, with the seed of its trial, as soon as there is what it is compared
    with; what it reached."""
    reached: Awaited[Reached] = Awaited()
    config = built(scene, control)
    one = member(scene, control.trial, config, control.sample, None, control.root)
    epochs, name = scene.spec.epochs, control.name
    if name == "twin":
        name = f"twin of trial {control.trial}"  # another one may have begun early
    progress = scene.folder.progress(name.replace(" ", "-"))

    def arrived(results: tuple[tuple[RungResult, ...], ...]) -> None:
        progress.unlink(missing_ok=True)
        scene.observe(Ended(name))
        (result,) = results[0]
        reached.set((result.accuracy, result.fault))

    def go() -> None:
        scene.observe(Started(name, epochs, progress))
        job = rung_job(scene, [one], 0, epochs)
        scene.crew.submit(train_students, job, (), progress, then=arrived)

    if METRICS[scene.spec.metric].of_teacher:
        scene.signals.when(go)
    else:
        go()
    return reached
