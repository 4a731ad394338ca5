"""The teacher: made ready once, kept in the study's folder, and the same on resume."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel

from nas_kd.costs.budgets import Budget, parse_budgets
from nas_kd.data.classes import MEND_IMBALANCE, counted, imbalance
from nas_kd.data.transfer import TransferSet, size
from nas_kd.driver.context import StageContext
from nas_kd.driver.events import Ended, Started, Step
from nas_kd.driver.jobs import by_teacher, ready_teacher
from nas_kd.errors import UnusableStudy, UnusableTeacher
from nas_kd.files import write_bytes, write_text
from nas_kd.intervals import at_chance, told_from_chance
from nas_kd.metrics import METRICS, metric_in_words, of_teachers
from nas_kd.records import read_record
from nas_kd.spec import StudySpec
from nas_kd.study.folder import StudyFolder
from nas_kd.study.sharing import cached, hashed, share, take
from nas_kd.teachers.adapting import TeacherInput
from nas_kd.teachers.loading import TORCHVISION, TRAINED, Teacher, create
from nas_kd.teachers.making import TeacherJob, teacher_epochs, training_key
from nas_kd.training.recipe import Recipe

MOST_MEAN = 2.0
"""Pictures whose mean is greater do not go from 0 to 1, nor are they normalised."""

WEIGHTS = "weights.safetensors"

MEND_TEACHER = "Check its weights, its normalisation and the order of its classes."
"""What to do about a teacher of the user's that knows nothing of the data."""


def describe(spec: StudySpec, data: TransferSet, weights: Path | None) -> Teacher:
    """The teacher that the spec asks for. Raises UnusableTeacher."""
    require_named_teacher(spec, weights)
    wanted = TeacherInput(
        output=spec.teacher_output,
        size=spec.teacher_size,
        mean=spec.teacher_mean or None,
        std=spec.teacher_std or None,
        colour=spec.teacher.startswith(TORCHVISION),
        data_mean=data.mean,
        data_std=data.std,
        unit=255.0 if in_bytes(data) else 1.0,
    )
    return Teacher(
        spec.teacher,
        data.input_shape,
        len(data.classes),
        spec.teacher_width,
        str(weights.resolve()) if weights else None,
        wanted,
    )


def require_named_teacher(spec: StudySpec, weights: Path | None) -> None:
    """Raise UnusableTeacher where something is said of a teacher of yours that is not named."""
    said = {
        "weights": weights, "output": spec.teacher_output, "size": spec.teacher_size,
        "mean": spec.teacher_mean,
    }  # fmt: skip
    about = [f"--teacher-{name}" for name, value in said.items() if value]
    if about and spec.teacher == TRAINED:
        wrong = f"{'is' if len(about) == 1 else 'are'} for a teacher of yours, and none is named"
        right = "Name it: --teacher module:function, or torchvision:resnet18."
        raise UnusableTeacher(" ".join(about), wrong, right)


def in_bytes(data: TransferSet) -> bool:
    """Whether pictures go from 0 to 255, as numbers of whatever type."""
    pictures = len(data.input_shape) == 3
    return data.examples.dtype == "uint8" or (pictures and max(data.mean) > MOST_MEAN)


def parameters_of(teacher: Teacher) -> int:
    """How many a teacher has that is still to be trained, for budgets that are a share of it."""
    with torch.device("meta"):
        return sum(value.numel() for value in create(teacher).parameters())


def budgets_of(spec: StudySpec, data: TransferSet) -> tuple[Budget, ...]:
    """The spec's budgets before there is a study; a share is of the teacher to be trained.

    Raises UnusableBudget for a share of a teacher of the user's own.
    """
    own = spec.teacher != TRAINED
    return parse_budgets(spec.budget, None if own else parameters_of(describe(spec, data, None)))


class Kept(BaseModel):
    """What is kept of a study's teacher and asked of it later; more stands beside."""

    target: str
    width: int
    sha256: str
    accuracy: float
    parameters: int
    macs: int | None
    activations: int | None
    seconds: float
    notes: list[str]
    probabilities: bool
    file_sha256: str | None


def known(folder: StudyFolder) -> dict[str, Any] | None:
    """What is kept of the study's teacher, if it is ready. Raises UnusableStudy."""
    path = folder.teacher / "config.json"
    if not path.exists():
        return None
    right = "Bring the study's folder teacher/ back as it was, or search in a new folder."
    read_record(Kept, path, right, UnusableStudy)
    return read_record(dict[str, Any], path, right, UnusableStudy)


def bring_teacher(
    stage: StageContext, wanted: Teacher, resumed: bool, threads: int
) -> dict[str, Any]:
    """Make the teacher ready, and give what is known of it.

    A resumed study has its own. A teacher that another study trained on the same data is taken from
    there; else it is trained, or loaded if it is the user's. Raises UnusableTeacher.
    """
    facts = known(stage.folder) if resumed else None
    if facts:
        expect_file(facts, wanted.weights)
    else:
        job = teacher_job(stage.recipe, wanted, threads)
        facts = (taken(stage, job) if wanted.target == TRAINED else None) or made(stage, job)
    say_ready(stage, facts)
    return facts


def teacher_job(recipe: Recipe, teacher: Teacher, threads: int) -> TeacherJob:
    """The job that trains or loads a teacher."""
    spec, data = recipe.spec, recipe.data
    return TeacherJob(
        teacher, data, spec.teacher_epochs or teacher_epochs(data, recipe.epochs), spec.seed,
        recipe.device, of_teachers(spec.metric), recipe.class_weights, spec.plugins, threads,
    )  # fmt: skip


def taken(stage: StageContext, job: TeacherJob) -> dict[str, Any] | None:
    """What is known of the same teacher, taken from the study that trained it; None if none did."""
    study = take(cached("teachers", training_key(job)), stage.folder.teacher)
    if study is None:
        return None
    stage.observe(Step(f"teacher   from the cache: it was trained for {study}, on the same data"))
    return known(stage.folder)


def made(stage: StageContext, job: TeacherJob) -> dict[str, Any]:
    """What is known of a teacher that is trained or loaded now, and kept in the study's folder."""
    teacher, place, trained = job.teacher, stage.folder.teacher, job.teacher.target == TRAINED
    progress = stage.folder.progress("teacher")
    stage.observe(Started("teacher", job.epochs if trained else 1, progress))
    if trained:
        stage.observe(Step(f"teacher   training one of {parameters_of(teacher):,} parameters, "
                           f"{job.epochs} epochs of {size(job.data.teacher):,}"))  # fmt: skip
    (report,) = by_teacher(stage.queue, teacher, ready_teacher, [(job, progress)])
    progress.unlink(missing_ok=True)
    write_bytes(place / WEIGHTS, report.weights)
    facts = asdict(teacher) | asdict(report)
    facts["file_sha256"] = file_hash(teacher.weights) if teacher.weights else None
    facts["weights"] = teacher.weights
    write_text(place / "config.json", json.dumps(facts, indent=1))
    if trained:
        share(place, cached("teachers", training_key(job)), str(stage.folder.root))
    stage.observe(Ended("teacher"))
    done = "trained" if trained else "loaded and looked at"
    stage.observe(Step(f"teacher   {done} in {facts['seconds']:.0f} s"))
    return facts


def say_ready(stage: StageContext, facts: dict[str, Any]) -> None:
    """Say what is known of the teacher. Raises UnusableTeacher for one at chance."""
    spec, data, accuracy = stage.spec, stage.recipe.data, facts["accuracy"]
    for note in facts["notes"]:
        stage.observe(Step(f"teacher   {note}"))
    metric = of_teachers(spec.metric)
    chance, examples = judged(metric, data)
    measured = "" if metric == "accuracy" else f"{metric_in_words(metric)} "
    stage.observe(Step(
        f"teacher   {measured}{100 * accuracy:.1f}% on validation, {facts['parameters']:,} "
        f"parameters"
    ))  # fmt: skip
    mend = (
        "Give it more examples or epochs, in a new folder: --fix teacher_epochs=N --study FOLDER."
        if spec.teacher == TRAINED
        else MEND_TEACHER
    )
    if metric == "accuracy" and imbalance(data):
        mend = f"{MEND_IMBALANCE} {mend}"
    if at_chance(accuracy, examples, chance):
        wrong = (
            f"is at chance on the data: {100 * accuracy:.1f}% of {examples:,} examples, and "
            f"guessing reaches {100 * chance:.1f}%"
        )
        raise UnusableTeacher(f"teacher {spec.teacher!r}", wrong, mend)
    if not told_from_chance(accuracy, examples, chance):
        stage.observe(Step(
            f"teacher   cannot be told from chance on {examples:,} examples: guessing reaches "
            f"{100 * chance:.1f}%. {mend}"
        ))  # fmt: skip


def as_kept(folder: StudyFolder, teacher: Teacher, facts: dict[str, Any]) -> Teacher:
    """The teacher as it was made, with its weights from the file in the study's folder."""
    expects = replace(teacher.expects, probabilities=facts["probabilities"])
    return replace(teacher, weights=str(folder.teacher / WEIGHTS), expects=expects)


def expect_file(facts: dict[str, Any], weights: str | None) -> None:
    """Raise UnusableTeacher for a weight file that a study's teacher did not come from."""
    if weights and file_hash(weights) != facts["file_sha256"]:
        raise UnusableTeacher(
            f"--teacher-weights {weights}",
            "is not the file that this study's teacher came from",
            "Leave it out, for a study keeps its teacher, or name a new folder with --study.",
        )


def file_hash(path: str) -> str:
    """Hash of a file's bytes. Raises UnusableTeacher if it cannot be read."""
    try:
        return hashed(Path(path))
    except OSError as error:
        right = "Name the file of its weights, .safetensors or .pt."
        wrong = f"cannot be read ({error.strerror})"
        raise UnusableTeacher(f"--teacher-weights {path}", wrong, right) from error


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
