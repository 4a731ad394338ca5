"""Controls: students that the found student must beat, trained in addition to the trials.

A twin is the same student trained without the teacher. The twin of the best student is wanted,
which is known when all trials are told; a worker that would wait for the last of them begins the
twin of the best so far.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from nas_kd.driver.ask import costs_of
from nas_kd.driver.context import SearchContext, weight_seed_trial
from nas_kd.driver.events import Ended, Started, Step
from nas_kd.driver.jobs import train_students
from nas_kd.driver.rung_points import Results
from nas_kd.front import Point, best
from nas_kd.space.first import default_sample, first_samples
from nas_kd.space.sample import complete, settings_of
from nas_kd.space.space import Space
from nas_kd.spec.settings import Value
from nas_kd.students.family import StudentConfig
from nas_kd.study.checkpoints import keep_student
from nas_kd.study.record import StudentRecord
from nas_kd.training import RungResult


@dataclass(frozen=True, slots=True)
class Control:
    """A student to be trained once, beside the trial that it is compared with."""

    name: str
    trial: int
    config: StudentConfig
    settings: Mapping[str, Value]

    @property
    def job(self) -> str:
        """The name of its training; an extended study may have twins of several trials."""
        return f"twin of trial {self.trial}" if self.name == "twin" else self.name


def wanted(context: SearchContext) -> list[Control]:
    """The best taught student's twin without the teacher, and defaults that are no trials."""
    space, records = context.space, context.ledger.records()
    ended = any(record.state == "complete" for record in records)
    if not ended or context.spec.teacher_classes:
        return []  # without labels none can be trained alone
    twin = twin_of_the_best(context, {})
    controls = [twin] if twin else []
    if all(sample["alpha"] > 0 for sample in first_samples(space)):
        for number, family in enumerate(space.families):
            sample = default_sample(space, family, 0.0)
            name, config = f"largest {family} alone", space.student(sample)
            controls.append(Control(name, number, config, settings_of(space, sample)))
    return controls


def twin_of_the_best(context: SearchContext, results: Results) -> Control | None:
    """The twin of the best taught student among those that are told, or have these results."""
    records = context.ledger.records()
    ended = {number: kept[-1] for number, kept in results.items() if kept}
    reached = {r.number: r.accuracy for r in records} | {
        number: result.accuracy
        for number, result in ended.items()
        if result.epochs == context.recipe.epochs and not result.fault
    }
    top = best(
        Point(record.number, accuracy, record.costs[context.axis])
        for record in records
        if record.taught and (accuracy := reached[record.number]) is not None
    )
    return twin_of(context.space, records[top.trial]) if top else None


def twin_of(space: Space, record: StudentRecord) -> Control:
    """A student's twin without the teacher."""
    sample = {**record.config.options, **record.settings, "family": record.config.family}
    alone = settings_of(space, complete(space, sample | {"alpha": 0.0}))
    return Control("twin", record.number, record.config.drawn, alone)


def begin_twin(context: SearchContext, results: Results) -> None:
    """Train the twin of the best student so far, unless it is begun, known or a trial, or there are
    no labels to train it on."""
    twin = None if context.spec.teacher_classes else twin_of_the_best(context, results)
    if twin is None or twin.job in context.begun or is_known(context.ledger.facts(), twin):
        return
    if not trial_of(context.space, context.ledger.records(), twin):
        found = context.begun[twin.job] = []
        train(context, twin, found.append)


def run_controls(context: SearchContext) -> None:
    """Train the controls that are missing, and keep their results as facts of the study.

    A default student's twin is a trial already.
    """
    early = []
    for control in wanted(context):
        if is_known(context.ledger.facts(), control):
            continue
        same = trial_of(context.space, context.ledger.records(), control)
        if same and same.accuracy is not None:
            note(context, control, same.accuracy, same_as=same.number)
        elif control.job in context.begun:
            early.append(control)
        else:
            train(context, control, partial(keep, context, control))
    context.queue.run_until()
    for control in early:
        keep(context, control, *context.begun[control.job])


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


def train(context: SearchContext, control: Control, then: Callable[[RungResult], None]) -> None:
    """Submit the training of a control; `then` is called with its result."""
    epochs, recipe, name = context.recipe.epochs, context.recipe, control.job
    seed_of = weight_seed_trial(context.space, control.trial)
    member = recipe.member(control.trial, control.config, control.settings, seed_of)
    progress = context.folder.progress(name.replace(" ", "-"))

    def arrived(results: tuple[tuple[RungResult, ...], ...]) -> None:
        progress.unlink(missing_ok=True)
        context.observe(Ended(name))
        then(results[0][0])

    context.observe(Started(name, epochs, progress))
    job = recipe.job([member], context.signals, 0, epochs)
    context.queue.submit(train_students, job, (), progress, then=arrived)


def keep(context: SearchContext, control: Control, result: RungResult) -> None:
    """Keep a control's student, and its result; one that failed has no accuracy."""
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
