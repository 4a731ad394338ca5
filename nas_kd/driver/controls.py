"""Controls: students that the found student must beat, trained in addition to the trials.

A twin is the same student trained without the teacher. The wanted twin is that of the best
student, which is known only when all trials are told. A twin is begun earlier in two cases: if
its student leads clearly at the last rung, because a twin is the longest job that is left; and
if its student is the best so far and a worker would otherwise be idle.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from nas_kd.driver.ask import costs_of
from nas_kd.driver.context import SearchContext, weight_seed_trial
from nas_kd.driver.events import Ended, Started, Step
from nas_kd.driver.jobs import train_students
from nas_kd.driver.rung_points import Results
from nas_kd.front import Point, best, not_told_apart
from nas_kd.metrics import METRICS
from nas_kd.space.first import default_sample, first_samples
from nas_kd.space.sample import complete, settings_of
from nas_kd.space.space import Space
from nas_kd.spec.settings import Value
from nas_kd.students.family import StudentConfig
from nas_kd.study.checkpoints import keep_student
from nas_kd.study.record import StudentRecord
from nas_kd.training import RungResult
from nas_kd.workers.job_queue import Awaited


@dataclass(frozen=True, slots=True)
class Control:
    """A student to be trained once, beside the trial that it is compared with."""

    name: str
    trial: int
    config: StudentConfig
    settings: Mapping[str, Value]
    weights_of: int
    """The trial whose initial weights it has."""

    @property
    def job(self) -> str:
        """The name of its training; twins of several trials may be begun."""
        return f"twin of trial {self.trial}" if self.name == "twin" else self.name


def wanted(context: SearchContext) -> list[Control]:
    """The best taught student's twin without the teacher, and defaults that are no trials."""
    space, records = context.space, context.ledger.records()
    if not any(record.state == "complete" for record in records):
        return []
    twin = twin_of_the_best(context, {})
    controls = [twin] if twin else []
    if all(sample["alpha"] > 0 for sample in first_samples(space)):
        for number, family in enumerate(space.families):
            sample = default_sample(space, family, 0.0)
            name, config = f"largest {family} alone", space.student(sample)
            controls.append(Control(name, number, config, settings_of(space, sample), number))
    return controls


def twin_of_the_best(context: SearchContext, results: Results) -> Control | None:
    """The twin of the best taught student among those that are told, or have these results."""
    records, axis = context.ledger.records(), context.axis
    told = {r.number: r.accuracy for r in records if r.state == "complete"}
    ended = {
        number: kept[-1].accuracy
        for number, kept in results.items()
        if kept and kept[-1].epochs == context.spec.epochs and not kept[-1].fault
    }
    top = best(
        Point(number, accuracy, records[number].costs[axis])
        for number, accuracy in (told | ended).items()
        if accuracy is not None and records[number].taught
    )
    return None if top is None else twin_of(context.space, records[top.trial])


def twin_of(space: Space, record: StudentRecord) -> Control:
    """A student's twin without the teacher."""
    sample = {"family": record.config.family, **record.config.options, **record.settings}
    alone = settings_of(space, complete(space, sample | {"alpha": 0.0}))
    return Control("twin", record.number, record.config, alone, record.number)


def begin_twin_of_the_leader(context: SearchContext, going: Results) -> None:
    """Begin the twin of the student that leads at the last rung, if it leads clearly.

    The comparison covers the taught students that went on from the last rung, in this or an
    earlier generation. The leader leads clearly if no other student within one standard error
    of it needs a twin; a student needs none if a trial already is its twin. With one worker
    nothing is begun, because an early start gains nothing.
    """
    if not context.spec.rungs or context.queue.workers < 2:
        return
    stop, records = context.spec.rungs[-1], context.ledger.records()
    at_rung = {r.number: r.at(stop) for r in records if r.state == "complete"}
    at_rung |= {n: {r.epochs: r.accuracy for r in kept}.get(stop) for n, kept in going.items()}
    points = [
        Point(number, accuracy, records[number].costs[context.axis])
        for number, accuracy in at_rung.items()
        if accuracy is not None and records[number].taught
    ]
    near = not_told_apart(points, context.ledger.facts()["examples"])
    twins = [twin_of(context.space, records[number]) for number in near]
    twins = [twin for twin in twins if trial_of(context.space, records, twin) is None]
    top = best(points)
    if top and [twin.trial for twin in twins] == [top.trial]:
        begin(context, twins[0])


def begin_twin(context: SearchContext, going: Results) -> None:
    """Have a worker that would wait train the twin of the student that is the best so far."""
    twin = twin_of_the_best(context, going)
    if twin is not None:
        begin(context, twin)


def begin(context: SearchContext, twin: Control) -> None:
    """Train a twin, unless it is begun, or known, or a trial."""
    known = twin.trial in context.twins or is_known(context.ledger.facts(), twin)
    if context.signals.value is None or known:
        return
    if not trial_of(context.space, context.ledger.records(), twin):
        context.twins[twin.trial] = train(context, twin)


def run_controls(context: SearchContext) -> None:
    """Train the controls that are missing, and keep their results as facts of the study.

    A default student's twin is a trial already. Twins that were begun and are not wanted are not
    waited for.
    """
    awaited: list[Awaited[RungResult]] = []
    for control in wanted(context):
        if is_known(context.ledger.facts(), control):
            continue
        same = trial_of(context.space, context.ledger.records(), control)
        if same and same.accuracy is not None:
            note(context, control, same.accuracy, same_as=same.number)
            continue
        begun = context.twins.get(control.trial) if control.name == "twin" else None
        reached = begun or train(context, control)
        reached.when(partial(keep, context, control, reached))
        awaited.append(reached)
    ready = context.signals
    context.queue.run_until(lambda: None not in (ready.value, *(one.value for one in awaited)))


def is_known(facts: Mapping[str, Any], control: Control) -> bool:
    """Whether a control's result is a fact of the study already."""
    kept = facts.get(control.name)
    return kept is not None and kept["trial"] == control.trial


def trial_of(
    space: Space, records: Sequence[StudentRecord], control: Control
) -> StudentRecord | None:
    """The trial that a twin is already: same student, weights and settings."""
    if control.name != "twin":
        return None
    for record in records[: len(first_samples(space))]:
        if (
            record.duplicate_of is None
            and weight_seed_trial(space, record.number) == control.trial
            and record.config == control.config
            and record.settings == control.settings
        ):
            return record
    return None


def train(context: SearchContext, control: Control) -> Awaited[RungResult]:
    """Submit the training of a control; the returned `Awaited` will get its result.

    If the metric compares students with the teacher, the job waits for the teacher's signals.
    """
    reached: Awaited[RungResult] = Awaited()
    epochs, recipe = context.spec.epochs, context.recipe
    seed_of = weight_seed_trial(context.space, control.weights_of)
    member = recipe.member(control.trial, control.config, control.settings, seed_of)
    progress = context.folder.progress(control.job.replace(" ", "-"))

    def arrived(results: tuple[tuple[RungResult, ...], ...]) -> None:
        progress.unlink(missing_ok=True)
        context.observe(Ended(control.job))
        reached.set(results[0][0])

    def go() -> None:
        context.observe(Started(control.job, epochs, progress))
        job = recipe.job([member], context.signals.value, 0, epochs)
        context.queue.submit(train_students, job, (), progress, then=arrived)

    if METRICS[context.spec.metric].of_teacher:
        context.signals.when(go)
    else:
        go()
    return reached


def keep(context: SearchContext, control: Control, reached: Awaited[RungResult]) -> None:
    """Keep a control's student, and its result; one that failed has no accuracy."""
    result = reached.value
    assert result is not None
    if result.fault is None:
        keep_student(context.folder.control(control.job), control.config, result)
    note(context, control, None if result.fault else result.accuracy, result.fault)


def note(
    context: SearchContext,
    control: Control,
    accuracy: float | None,
    fault: str | None = None,
    same_as: int | None = None,
) -> None:
    """Keep what a control reached as a fact of the study, and say it."""
    facts: dict[str, Any] = {
        **costs_of(context.space, control.config),
        "student": control.config.to_json(),
        "settings": json.dumps(dict(control.settings)),
        "trial": control.trial,
        "accuracy": accuracy,
        "fault": fault,
        "same_as": same_as,
    }
    context.ledger.note(control.name, facts)
    said = fault or f"{100 * (accuracy or 0):.1f}%"
    context.observe(Step(f"control   {control.name} of trial {control.trial}: {said}"))
