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
from nas_kd.data.transfer import size
from nas_kd.driver.context import StageContext
from nas_kd.driver.data_stage import same_data
from nas_kd.driver.events import Observe, Step
from nas_kd.driver.jobs import by_teacher
from nas_kd.driver.log import logged
from nas_kd.driver.options import RunOptions
from nas_kd.driver.signals_stage import bring_signals, stored_signals
from nas_kd.driver.teacher_stage import as_kept, describe, known
from nas_kd.errors import Unusable, UnusableStudy
from nas_kd.metrics import METRICS
from nas_kd.registry import import_plugins
from nas_kd.spec.fields import placed
from nas_kd.spec.trust import expect_trusted
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder, lock
from nas_kd.study.lease import lease
from nas_kd.study.view import StudyView, read_study
from nas_kd.teachers.loading import FROM_PYTHON, GIVEN
from nas_kd.teachers.signals import SignalsJob, compute_signals, signals_key
from nas_kd.training.recipe import Recipe
from nas_kd.workers.devices import default_workers, kind, parse_devices
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
    teacher: float | None
    """What the teacher reaches on the test split; None where it is not here to be asked."""


def options_of(
    study: Path,
    workers: int | None = None,
    device: str = "auto",
    data_root: Path | None = None,
    job_limit: float = 3600.0,
    trust: bool = False,
    baseline: str | None = None,
    moved: str | None = None,
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
        workers=default_workers(devices) if workers is None else workers,
        data_root=data_root or Path(view.facts["data_root"]),
        devices=devices,
        large=True,
        job_limit=job_limit,
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
    with lock(folder) as held:
        queue.checks.append(lambda: folder.expect_held(held))
        spec = view.spec.model_copy(update={"epochs": epochs or LONGER * view.epochs, "rungs": ()})
        both = logged(folder, observe)
        here = {} if moved is None else {"data": placed(moved)}
        data = same_data(view.spec.model_copy(update=here), options, folder, lambda text: None)
        if size(data.test) < 2:
            wrong = "has no test split, and a confirm is scored on nothing else"
            raise Unusable(f"data {data.name!r}", wrong, "Search on data that have one.")
        stage = StageContext(Recipe(spec, data, kind(options.devices)), folder, queue, both)
        ledger = Ledger.open(folder.database)
        try:
            with lease(ledger, str(folder.root), held.holder) as expect_leased:
                queue.checks.append(expect_leased)
                yield with_teacher(view, stage)
        finally:
            if folder.is_held(held):
                folder.clear()


def with_teacher(view: StudyView, stage: StageContext) -> Opened:
    """The study with its teacher's signals, and what the teacher answers to the test split.

    A teacher that was given from Python and is not in this process is not asked. Raises Unusable
    where the metric needs its answers, UnusableStudy, UnusableTeacher.
    """
    recipe, folder = stage.recipe, stage.folder
    metric, labels = METRICS[recipe.spec.metric], recipe.data.labels.open()
    labels_N = np.array(labels[slice(*recipe.data.test)])
    job = signals_job(stage)
    on_test = None
    if job.teacher.target.startswith(FROM_PYTHON) and job.teacher.target not in GIVEN:
        if metric.of_teacher:
            wrong = "needs the teacher's answers to the test split, and it was given from Python"
            right = "Confirm it there: Study.open(FOLDER).confirm(teacher=module)."
            raise Unusable(f"metric {recipe.spec.metric!r}", wrong, right)
        stage.observe(Step("teacher   was given from Python, in another process: it is not scored"))
        signals, score = stored_signals(folder.signals(signals_key(job))), None
    else:
        signals = bring_signals(stage, job.teacher, job.sha256)
        parts = [(job, recipe.data.test, 1)]
        ((logits_NC,),) = by_teacher(stage.queue, job.teacher, compute_signals, parts)
        score = float(metric.score(torch.from_numpy(logits_NC), torch.from_numpy(labels_N)))
        if metric.of_teacher:
            labels_N, score = logits_NC.argmax(-1), 1.0
            kept = ArrayRef.save(labels_N, folder.confirmed / "teacher.npy")
            on_test = replace(signals, answers_N=kept)
    context = ConfirmContext(
        recipe, folder, stage.queue, stage.observe, signals, on_test or signals
    )
    return Opened(view, context, labels_N, score)


def signals_job(stage: StageContext) -> SignalsJob:
    """The job that computes the answers of the study's own teacher. Raises UnusableStudy."""
    facts = known(stage.folder)
    if facts is None:
        wrong, right = "is missing", "Bring the study's folder back as a whole."
        raise UnusableStudy(str(stage.folder.teacher), wrong, right)
    data = stage.recipe.data
    weights = Path(facts["weights"]) if facts.get("weights") else None
    teacher = as_kept(stage.folder, describe(stage.spec, data, weights), facts)
    return SignalsJob(teacher, facts["sha256"], data, stage.recipe.device)
