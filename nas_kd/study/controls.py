"""What the found student must beat, trained outside the trials, after the last generation."""

from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState

from nas_kd.front import Point, best
from nas_kd.students.family import StudentConfig
from nas_kd.study.cohorts import student, taught
from nas_kd.study.events import Ended, Started, Step
from nas_kd.study.generation import attributes, settings
from nas_kd.study.jobs import train_students
from nas_kd.study.scene import Scene, member, rung_job, taught_pair
from nas_kd.study.space import Sample, complete, default_sample, first_samples
from nas_kd.training import RungResult


@dataclass(frozen=True, slots=True)
class Control:
    """A student to be trained once: its name, the trial whose seed it has, its sample."""

    name: str
    trial: int
    sample: Sample


def wanted(scene: Scene) -> list[Control]:
    """The best taught student's twin without the teacher, and defaults that are no trials."""
    done = [t for t in scene.ledger.trials() if t.state == TrialState.COMPLETE]
    if not done:
        return []
    top = best(Point(t.number, *t.values) for t in done if taught(scene, t))
    controls = []
    if top is not None:
        winner = scene.sample(scene.ledger.trials()[top.trial])
        controls.append(Control("twin", top.trial, winner | {"alpha": 0.0}))
    if all(sample["alpha"] > 0 for sample in first_samples(scene.space)):
        controls += [
            Control(f"largest {family} alone", number, default_sample(scene.space, family, 0.0))
            for number, family in enumerate(scene.space.families)
        ]
    return controls


def run_controls(scene: Scene) -> None:
    """Train the controls that are missing, and keep their results as facts of the study.

    A default student's twin is a trial already.
    """
    for control in wanted(scene):
        kept = scene.ledger.facts().get(control.name)
        if kept is not None and kept["trial"] == control.trial:
            continue
        accuracy = trained(scene, control)
        if accuracy is None:
            send(scene, control)
        else:
            note(scene, control, student(scene.ledger.trials()[control.trial]), accuracy)
    scene.crew.drain()


def trained(scene: Scene, control: Control) -> float | None:
    """The accuracy of a control that was trained as a trial: same student, weights and settings."""
    trials = scene.ledger.trials()
    for trial in trials[: len(first_samples(scene.space))]:
        same = (
            trial.state == TrialState.COMPLETE
            and "duplicate_of" not in trial.user_attrs
            and taught_pair(scene.space, trial.number) == control.trial
            and trial.user_attrs["student"] == trials[control.trial].user_attrs["student"]
            and scene.sample(trial) == complete(scene.space, control.sample)
        )
        if same and control.name == "twin":
            return float(trial.values[0])
    return None


def note(scene: Scene, control: Control, config: StudentConfig, accuracy: float) -> None:
    """Keep a control's result, and say it."""
    facts: dict[str, Any] = attributes(scene, config)
    facts |= {"trial": control.trial, "accuracy": accuracy}
    facts["settings"] = settings(control.sample)
    scene.ledger.note(control.name, facts)
    reached = f"{100 * accuracy:.1f}%"
    scene.observe(Step(f"control   {control.name} of trial {control.trial}: {reached}"))


def send(scene: Scene, control: Control) -> None:
    """Send a control out. The twin is the winner's own student, with its seed."""
    if control.name == "twin":
        config = student(scene.ledger.trials()[control.trial])
    else:
        config = scene.space.student(control.sample)
    one = member(scene, control.trial, config, control.sample, None)
    epochs = scene.spec.epochs
    progress = scene.folder.progress(control.name.replace(" ", "-"))
    scene.observe(Started(control.name, epochs, progress))

    def arrived(results: tuple[RungResult, ...]) -> None:
        progress.unlink(missing_ok=True)
        scene.observe(Ended(control.name))
        note(scene, control, config, results[0].accuracy)

    scene.crew.submit(train_students, rung_job(scene, [one], 0, epochs), progress, then=arrived)
