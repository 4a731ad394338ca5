"""Opening a study to confirm it: its data, its teacher's signals, and the teacher's answers to the
test split."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nas_kd.confirm.trainings import ConfirmContext
from nas_kd.data.arrays import ArrayRef
from nas_kd.data.signals import Signals
from nas_kd.data.transfer import size
from nas_kd.driver.context import StageContext
from nas_kd.driver.data_stage import same_data
from nas_kd.driver.events import Observe, Step
from nas_kd.driver.jobs import by_teacher
from nas_kd.driver.log import logged
from nas_kd.driver.options import RunOptions
from nas_kd.driver.signals_stage import bring_signals, stored_signals
from nas_kd.driver.teacher_folder import Place, is_here, places, signals_job
from nas_kd.driver.teacher_names import describe
from nas_kd.errors import Unusable
from nas_kd.metrics import METRICS
from nas_kd.registry import import_plugins
from nas_kd.spec.fields import placed
from nas_kd.spec.trust import expect_trusted
from nas_kd.students.family import StudentConfig
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder, lock
from nas_kd.study.lease import lease
from nas_kd.study.storage import writing
from nas_kd.study.view import StudyView, read_study
from nas_kd.teachers.layers import Layers
from nas_kd.teachers.signals import compute_signals, signals_key
from nas_kd.teachers.teacher import Teacher
from nas_kd.training.recipe import Recipe
from nas_kd.workers.devices import kind, parse_devices
from nas_kd.workers.executors import worker_count
from nas_kd.workers.job_queue import JobQueue

LONGER = 3
"""A confirm trains so many times the epochs of the search, unless it is said."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A study that is being confirmed."""

    view: StudyView
    context: ConfirmContext
    labels_N: NDArray[np.int64]
    """What the answers to the test examples are compared with."""
    teachers: tuple[float | None, ...]
    """What each teacher reaches on the test split; None where it cannot be asked there."""


def options_of(
    study: Path,
    workers: int | None = None,
    device: str = "auto",
    data_root: Path | None = None,
    job_limit: float = 3600.0,
    trust: bool = False,
    baseline: str | None = None,
    moved: str | None = None,
    cluster: str | None = None,
) -> RunOptions:
    """How a study is confirmed; its data come from where the search had them unless it is said.

    Raises UnusableStudy, and Unusable for code that only the study names, unless there is trust.
    """
    view = read_study(StudyFolder(study.resolve()))
    said = {"family": baseline or (), "data": moved or ()}
    expect_trusted(str(study), view.spec.model_dump(), trust, said)
    devices = parse_devices(device)
    return RunOptions(
        folder=study,
        workers=worker_count(workers, devices, cluster is not None),
        cluster=cluster,
        data_root=data_root or Path(view.facts["data_root"]),
        devices=devices,
        large=True,
        job_limit=job_limit,
        trust=trust,
    )


@contextmanager
def opened(
    options: RunOptions, epochs: int | None, moved: str | None, queue: JobQueue, observe: Observe
) -> Iterator[Opened]:
    """A study, locked, with all that its students' trainings need; `moved` is where its data lie
    now, if that is not where they were. Raises NasKDError."""
    folder = StudyFolder(options.folder.resolve())
    view = read_study(folder)
    import_plugins(view.spec.plugins)
    rounds = view.spec.who_teaches.rounds
    if epochs is not None and epochs < rounds:
        wrong = f"is less than one for each round of the scheme {view.spec.scheme}"
        raise Unusable(f"--epochs {epochs}", wrong, f"Say {rounds} or more.")
    with lock(folder) as held:
        queue.checks.append(lambda: folder.expect_held(held))
        spec = view.spec.model_copy(update={"epochs": epochs or LONGER * view.epochs, "rungs": ()})
        both = logged(folder, held, observe)
        here = {} if moved is None else {"data": placed(moved)}
        data = same_data(view.spec.model_copy(update=here), options, folder, lambda text: None)
        if size(data.test) < 2:
            wrong = "has no test split, and a confirm is scored on nothing else"
            raise Unusable(f"data {data.name!r}", wrong, "Search on data that have one.")
        beside = view.facts.get("co_teacher")
        co_teacher = StudentConfig.from_json(beside) if beside else None
        weights = str(Place(folder.teacher).weights)
        recipe = Recipe(spec, data, kind(options.devices), co_teacher, weights)
        stage = StageContext(recipe, folder, queue, both)
        ledger = Ledger.open(folder.database)
        try:
            with (
                writing(ledger.database),
                lease(ledger, str(folder.root), held.holder) as expect_leased,
            ):
                queue.checks.append(expect_leased)
                yield with_teachers(view, stage, options.trust)
        finally:
            if folder.is_held(held):
                folder.clear()


def with_teachers(view: StudyView, stage: StageContext, trust: bool) -> Opened:
    """The study with its teachers' signals, and what the teachers answer to the test split.

    A teacher that was given from Python and is not in this process is not asked. Raises Unusable
    where the metric needs its answers, UnusableStudy, UnusableTeacher.
    """
    recipe, folder = stage.recipe, stage.folder
    metric, labels = METRICS[recipe.spec.metric], recipe.data.labels.open()
    labels_N = np.array(labels[slice(*recipe.data.test)])
    signals: dict[str, Signals] = {}
    scores: list[float | None] = []
    on_test: dict[str, Signals] = {}
    wanted = describe(stage.spec, recipe.data, (), trust)
    for teacher, place in zip(wanted, places(folder, len(wanted)), strict=True):
        job = signals_job(recipe, teacher, place)
        logits_NC = None
        if is_here(teacher):
            signals[teacher.target] = bring_signals(stage, job)
            parts = [(replace(job, layers=Layers()), recipe.data.test, 1)]
            (found,) = by_teacher(stage.queue, job.teacher, compute_signals, parts)
            logits_NC = None if found is None else found.logits_VNC[0]
        else:
            text = "teacher   was given from Python, in another process: it is not scored"
            stage.observe(Step(text))
            signals[teacher.target] = stored_signals(folder.signals(signals_key(job)))
        if metric.of_teacher:
            if logits_NC is None:
                raise no_answers(recipe, teacher)
            labels_N = logits_NC.argmax(-1)
            kept = ArrayRef.save(labels_N, folder.confirmed / "teacher.npy")
            on_test[teacher.target] = replace(signals[teacher.target], answers_N=kept)
        score = None if logits_NC is None else metric.score(
            torch.from_numpy(logits_NC), torch.from_numpy(labels_N)
        )  # fmt: skip
        scores.append(None if score is None else float(score))
    context = ConfirmContext(
        recipe, folder, stage.queue, stage.observe, signals, on_test or signals
    )
    return Opened(view, context, labels_N, tuple(scores))


def no_answers(recipe: Recipe, teacher: Teacher) -> Unusable:
    """The error for a metric that compares with the answers of a teacher that gives none."""
    wrong = "needs the teacher's answers to the test split"
    right = "Add the rows of the test split to its table."
    if teacher.here:
        wrong += ", and it was given from Python"
        right = "Confirm it there: Study.open(FOLDER).confirm(teacher=module)."
    return Unusable(f"metric {recipe.spec.metric!r}", wrong, right)
