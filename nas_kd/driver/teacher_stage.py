"""The teachers: made ready once, kept in the study's folder, and the same on resume."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas_kd.data.arrays import ArrayRef
from nas_kd.data.classes import MEND_IMBALANCE, counted, imbalance
from nas_kd.data.transfer import TransferSet, size
from nas_kd.driver.context import StageContext
from nas_kd.driver.events import Ended, Mended, Started, Step
from nas_kd.driver.jobs import by_teacher, ready_teacher
from nas_kd.driver.teacher_folder import (
    RIGHT,
    WEIGHTS,
    Place,
    all_ready,
    as_kept,
    expect_same_teachers,
    file_hash,
    places,
)
from nas_kd.errors import UnusableStudy, UnusableTeacher
from nas_kd.files import replace as write_file
from nas_kd.files import write_bytes, write_text
from nas_kd.intervals import at_chance, told_from_chance
from nas_kd.metrics import METRICS, metric_in_words, of_teachers
from nas_kd.spec.teachers import TEACHER_FILES, TRAINED
from nas_kd.study.sharing import cached, share, take
from nas_kd.teachers.jobs import TeacherJob
from nas_kd.teachers.teacher import Teacher
from nas_kd.teachers.trained import parameters_of, teacher_epochs, training_key
from nas_kd.training.recipe import Recipe

MEND_TEACHER = "Check its weights, its normalisation and the order of its classes."
"""What to do about a teacher of the user's that knows nothing of the data."""


def bring_teachers(
    stage: StageContext, wanted: Sequence[Teacher], resumed: bool, threads: int
) -> tuple[dict[str, Any], ...]:
    """Make the teachers ready, and give what is known of each.

    A resumed study has its own, which must answer as they did. A teacher that another study trained
    on the same data is taken from there; else it is trained, or opened if it is the user's. Raises
    UnusableTeacher.
    """
    every = []
    if resumed and all_ready(stage.folder, len(wanted)):
        expect_same_teachers(stage.recipe, stage.folder, wanted)
    for teacher, place in zip(wanted, places(stage.folder, len(wanted)), strict=True):
        facts = place.known() if resumed else None
        if resumed and not facts and teacher.kind != TRAINED:
            raise UnusableStudy(str(place.path), "is missing", RIGHT)  # it was there before a spec
        if not facts:
            facts = brought(stage, teacher, place, threads)
        say_ready(stage, teacher, facts)
        every.append(facts)
    return tuple(every)


def brought(stage: StageContext, teacher: Teacher, place: Place, threads: int) -> dict[str, Any]:
    """What is known of a teacher that is taken from the cache, or made ready now."""
    job = teacher_job(stage.recipe, teacher, threads)
    if teacher.kind == TRAINED and (facts := taken(stage, job, place)):
        return facts
    for number, part in enumerate(teacher.parts):
        brought(stage, part, place.part(number), threads)
    return made(stage, job, place)


def teacher_job(recipe: Recipe, teacher: Teacher, threads: int) -> TeacherJob:
    """The job that trains or opens a teacher."""
    spec, data = recipe.spec, recipe.data
    return TeacherJob(
        teacher, data, spec.teacher_epochs or teacher_epochs(data, recipe.epochs), spec.seed,
        recipe.device, of_teachers(spec.metric), recipe.class_weights, spec.plugins, threads,
    )  # fmt: skip


def taken(stage: StageContext, job: TeacherJob, place: Place) -> dict[str, Any] | None:
    """What is known of the same teacher, taken from the study that trained it; None if none did."""
    study = take(cached("teachers", training_key(job)), place.path)
    if study is None:
        return None
    stage.observe(Step(f"teacher   from the cache: it was trained for {study}, on the same data"))
    facts = place.known()
    if facts:  # the other study may have called it otherwise: train, or train:20
        facts["target"] = job.teacher.target
        write_text(place.config, json.dumps(facts, indent=1))
    return facts


def made(stage: StageContext, job: TeacherJob, place: Place) -> dict[str, Any]:
    """What is known of a teacher that is trained or opened now, and kept in the study's folder."""
    teacher, trained = job.teacher, job.teacher.kind == TRAINED
    if teacher.parts:
        job = replace(job, teacher=as_kept(place, teacher))
    progress = stage.folder.progress("teacher")
    stage.observe(Started("teacher", job.epochs if trained else 1, progress))
    if trained and progress.exists() and (reached := progress.stat().st_size):
        text = f"the teacher's training ended in epoch {reached} of {job.epochs}, and begins anew"
        stage.observe(Mended("again", text))
        progress.unlink()
    if trained:
        stage.observe(Step(f"teacher   training one of {parameters_of(teacher):,} parameters, "
                           f"{job.epochs} epochs of {size(job.data.teacher):,}"))  # fmt: skip
    (report,) = by_teacher(stage.queue, teacher, ready_teacher, [(job, progress)])
    progress.unlink(missing_ok=True)
    if report.weights is not None:
        write_bytes(place.path / WEIGHTS, report.weights)
    ArrayRef.save(report.answers_MC, place.answers)
    told = {name: value for name, value in asdict(report).items()
            if name not in ("weights", "answers_MC")}  # fmt: skip
    facts = asdict(teacher) | told | {"file": kept_file(teacher, place)}
    facts["file"] = facts["file"] or (WEIGHTS if report.weights is not None else None)
    facts["file_sha256"] = file_hash(teacher.weights) if teacher.weights else None
    write_text(place.config, json.dumps(facts, indent=1))
    if trained:
        share(place.path, cached("teachers", training_key(job)), str(stage.folder.root))
    stage.observe(Ended("teacher"))
    done = "trained" if trained else "opened and looked at"
    stage.observe(Step(f"teacher   {teacher.target}: {done} in {facts['seconds']:.0f} s"))
    return facts


def kept_file(teacher: Teacher, place: Place) -> str | None:
    """The name of the copy of a teacher that is a file; None of one that is none."""
    if teacher.kind not in TEACHER_FILES or teacher.weights is None:
        return None
    source = Path(teacher.weights)
    name = f"teacher{source.suffix}"
    with source.open("rb") as file:
        write_file(place.path / name, lambda target: shutil.copyfileobj(file, target))
    return name


def say_ready(stage: StageContext, teacher: Teacher, facts: dict[str, Any]) -> None:
    """Say what is known of a teacher. Raises UnusableTeacher for one at chance."""
    spec, data, accuracy = stage.spec, stage.recipe.data, facts["accuracy"]
    whose = "" if len(spec.teacher) == 1 else f"{teacher.target}: "
    for note in facts["notes"]:
        stage.observe(Step(f"teacher   {whose}{note}"))
    metric = of_teachers(spec.metric)
    measured = "" if metric == "accuracy" else f"{metric_in_words(metric)} "
    count = facts["parameters"]
    sized = "parameters not known" if count is None else f"{count:,} parameters"
    if accuracy is None:
        stage.observe(Step(f"teacher   {whose}accuracy on validation not known, {sized}"))
        return
    chance, examples = judged(metric, data)
    stage.observe(Step(
        f"teacher   {whose}{measured}{100 * accuracy:.1f}% on validation, {sized}"
    ))  # fmt: skip
    mend = (
        "Give it more examples or epochs, in a new folder: --fix teacher_epochs=N --study FOLDER."
        if teacher.kind == TRAINED
        else MEND_TEACHER
    )
    if metric == "accuracy" and imbalance(data):
        mend = f"{MEND_IMBALANCE} {mend}"
    if at_chance(accuracy, examples, chance):
        wrong = (
            f"is at chance on the data: {100 * accuracy:.1f}% of {examples:,} examples, and "
            f"guessing reaches {100 * chance:.1f}%"
        )
        raise UnusableTeacher(f"teacher {teacher.target!r}", wrong, mend)
    if not told_from_chance(accuracy, examples, chance):
        stage.observe(Step(
            f"teacher   cannot be told from chance on {examples:,} examples: guessing reaches "
            f"{100 * chance:.1f}%. {mend}"
        ))  # fmt: skip


def judged(
    metric: str, data: TransferSet, answers_N: NDArray[np.int64] | None = None
) -> tuple[float, int]:
    """What guessing reaches by a metric on the validation split, and how many independent examples
    it is as sure as; by the classes of these answers, or of the examples."""
    counts_C = torch.from_numpy(
        counted(data, data.validation)
        if answers_N is None
        else np.bincount(answers_N, minlength=len(data.classes))
    )
    return METRICS[metric].chance(counts_C), METRICS[metric].examples(counts_C)
