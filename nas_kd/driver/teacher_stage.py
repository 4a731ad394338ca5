"""The teacher: made ready once, kept in the study's folder, and the same on resume."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas_kd.costs.budgets import Budget, parse_budgets
from nas_kd.data.classes import counted
from nas_kd.data.transfer import TransferSet, size
from nas_kd.driver.events import Ended, Observe, Started, Step
from nas_kd.driver.jobs import ready_teacher
from nas_kd.errors import UnusableTeacher
from nas_kd.files import write_bytes, write_text
from nas_kd.front import at_chance
from nas_kd.metrics import METRICS, metric_in_words, of_teachers
from nas_kd.spec import StudySpec
from nas_kd.study.folder import StudyFolder
from nas_kd.study.sharing import keep, shared, take
from nas_kd.teachers.adapting import TeacherInput
from nas_kd.teachers.loading import (
    FROM_PYTHON,
    TORCHVISION,
    TRAINED,
    Teacher,
    TeacherReport,
    create,
)
from nas_kd.teachers.making import TeacherJob, default_epochs, training_key
from nas_kd.training.recipe import Recipe
from nas_kd.workers.job_queue import Awaited, JobQueue, Then

MOST_MEAN = 2.0
"""Pictures whose mean is greater do not go from 0 to 1, nor are they normalised."""

WEIGHTS = "weights.safetensors"


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


def known(folder: StudyFolder) -> dict[str, Any] | None:
    """What is kept of the study's teacher, if it is ready."""
    path = folder.teacher / "config.json"
    return json.loads(path.read_text()) if path.exists() else None


class TeacherStage:
    """Brings the teacher, once."""

    def __init__(
        self,
        recipe: Recipe,
        folder: StudyFolder,
        queue: JobQueue,
        observe: Observe,
        weights: Path | None,
        threads: int = 1,
    ) -> None:
        self.recipe, self.spec, self.data = recipe, recipe.spec, recipe.data
        self.folder, self.queue, self.observe = folder, queue, observe
        self.threads = threads
        self.teacher = describe(self.spec, self.data, weights)
        self.resumed = folder.spec.exists()
        self.facts: Awaited[dict[str, Any]] = Awaited()
        """What is known of the teacher, once it is ready."""

    @property
    def own(self) -> bool:
        """Whether the teacher is the user's own, not one to be trained."""
        return self.teacher.target != TRAINED

    def parameters(self) -> int:
        """How many the teacher has; one of the user's own must be ready."""
        if not self.own:
            return parameters_of(self.teacher)
        assert self.facts.value is not None
        return int(self.facts.value["parameters"])

    def begin(self) -> None:
        """Submit the job that trains or loads the teacher.

        A resumed study uses its stored teacher, if there is one.
        """
        if self.resumed and (facts := known(self.folder)):
            expect_file(facts, self.teacher.weights)
            self._teacher_ready(facts)
            return
        epochs = self.spec.teacher_epochs or default_epochs(self.data, self.spec.epochs)
        job = TeacherJob(
            self.teacher, self.data, epochs, self.spec.seed, self.recipe.device,
            of_teachers(self.spec.metric), self.recipe.class_weights, self.spec.plugins,
            self.threads,
        )  # fmt: skip
        kept = shared("teachers", training_key(job))
        if not self.own and (study := take(kept, self.folder.teacher)):
            self.observe(Step(f"teacher   the one that was trained for {study}, on the same data"))
            facts = known(self.folder)
            assert facts is not None
            self._teacher_ready(facts)
            return
        progress = self.folder.progress("teacher")
        self.observe(Started("teacher", 1 if self.own else epochs, progress))
        if not self.own:
            parameters = parameters_of(self.teacher)
            self.observe(Step(f"teacher   training one of {parameters:,} parameters, "
                              f"{epochs} epochs of {size(self.data.teacher):,}"))  # fmt: skip
        made = partial(self._made, kept)
        send(self.queue, self.teacher, ready_teacher, job, progress, then=made)

    def _made(self, kept: Path, report: TeacherReport) -> None:
        self.folder.progress("teacher").unlink(missing_ok=True)
        write_bytes(self.folder.teacher / WEIGHTS, report.weights)
        facts = asdict(self.teacher) | asdict(report)
        del facts["weights"]
        given = self.teacher.weights
        facts["file_sha256"] = file_hash(given) if given else None
        write_text(self.folder.teacher / "config.json", json.dumps(facts, indent=1))
        if not self.own:
            keep(self.folder.teacher, kept, str(self.folder.root))
        self.observe(Ended("teacher"))
        self._teacher_ready(facts)

    def _teacher_ready(self, facts: dict[str, Any]) -> None:
        for note in facts["notes"]:
            self.observe(Step(f"teacher   {note}"))
        accuracy = facts["accuracy"]
        metric = of_teachers(self.spec.metric)
        chance, examples = judged(metric, self.data)
        measured = "" if metric == "accuracy" else f"{metric_in_words(metric)} "
        self.observe(Step(f"teacher   {measured}{100 * accuracy:.1f}% on validation, "
                          f"{facts['parameters']:,} parameters, "
                          f"made in {facts['seconds']:.0f} s"))  # fmt: skip
        if at_chance(accuracy, examples, chance):
            raise UnusableTeacher(
                f"teacher {self.teacher.target!r}",
                f"is at chance on the data: {100 * accuracy:.1f}% of {examples:,} examples",
                "Check its weights, its normalisation and the order of its classes."
                if self.own
                else "Give it more examples or epochs, in a new folder: --fix teacher_epochs=N "
                "--study FOLDER.",
            )
        self.facts.set(facts)

    def kept(self) -> Teacher:
        """The teacher as it was made, with its weights from the file in the study's folder."""
        assert self.facts.value is not None
        expects = replace(self.teacher.expects, probabilities=self.facts.value["probabilities"])
        return replace(self.teacher, weights=str(self.folder.teacher / WEIGHTS), expects=expects)


def send(
    queue: JobQueue, teacher: Teacher, job: Callable[..., Any], *arguments: Any, then: Then
) -> None:
    """Send a job of a teacher to a worker; one that is an object can only work in this process."""
    if teacher.target.startswith(FROM_PYTHON):
        then(job(*arguments))
    else:
        queue.submit(job, *arguments, then=then)


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
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
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
