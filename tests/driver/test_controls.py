"""Controls: what is trained outside the trials, and when."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np

from nas_kd.driver.drive import drive
from nas_kd.driver.events import Event, Scored, Started
from nas_kd.driver.options import RunOptions
from nas_kd.report.page import page
from nas_kd.report.summary import summarize
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import StudyView, read_study, remark
from nas_kd.training import RungJob
from nas_kd.workers.in_process import InProcess
from tests.conftest import TAUGHT, Graded, searched, tiny

P = ParamSpec("P")
T = TypeVar("T")

ONE = TAUGHT | {"family": "mlp", "depth": 2, "trials": 3, "epochs": 3, "rungs": [2]}


def test_the_twin_of_the_best_is_trained_when_all_students_are_known(tmp_path: Path) -> None:
    seen: list[Event] = []
    graded = Graded(lambda member, epoch: (0.8, 0.9, 0.4)[member.trial])
    drive(tiny(**ONE), RunOptions(tmp_path, workers=2), seen.append, graded)
    view = read_study(StudyFolder(tmp_path))
    jobs = [event.job for event in seen if isinstance(event, Started)]
    assert jobs[-2:] == ["twin of trial 1", "largest mlp alone"]
    assert view.facts["twin"]["trial"] == 1
    answers = np.load(view.folder.control("twin of trial 1") / "answers.npy")
    assert (answers.shape, answers.dtype) == ((view.examples, 5), np.uint16)


def test_a_worker_without_work_begins_the_twin_of_the_best_so_far(
    study: StudyView, tmp_path: Path
) -> None:
    seen: list[Event] = []
    drive(tiny(**TAUGHT), RunOptions(tmp_path, workers=6), seen.append)
    began = [n for n, e in enumerate(seen) if isinstance(e, Started) and e.job.startswith("twin")]
    scored = [n for n, event in enumerate(seen) if isinstance(event, Scored)]
    assert began[0] < scored[-1]
    assert read_study(StudyFolder(tmp_path)).facts["twin"] == study.facts["twin"]
    assert not list(tmp_path.rglob("*.epochs"))


class Diverging(InProcess):
    """Trains students without a teacher at a rate at which none learns."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        job, *rest = args
        if isinstance(job, RungJob) and not any(member.settings["alpha"] for member in job.members):
            members = tuple(
                replace(member, settings={**member.settings, "learning_rate": 1e30})
                for member in job.members
            )
            return super().submit(fn, replace(job, members=members), *rest, **kwargs)
        return super().submit(fn, *args, **kwargs)


def test_a_student_whose_loss_is_not_finite_fails_with_the_reason(tmp_path: Path) -> None:
    view = searched(tmp_path, executor=Diverging(), family="mlp", trials=4)
    alone = [row for row in view.rows if not row.taught]
    assert alone
    assert [row for row in view.rows if row.state == "failed"] == alone
    assert all(remark(row) == "the loss was not finite by epoch 2" for row in alone)


def test_a_twin_that_failed_is_no_gain_of_distillation(tmp_path: Path) -> None:
    drive(tiny(**ONE), RunOptions(tmp_path, workers=0), lambda event: None, Diverging())
    view = read_study(StudyFolder(tmp_path))
    assert view.facts["twin"]["accuracy"] is None
    assert view.facts["twin"]["fault"] == "the loss was not finite by epoch 3"
    summary = summarize(view)
    assert "is not known" in summary.sentence
    assert "not finite by epoch 3" in summary.sentence
    (line,) = (one for one in summary.lines if one.name == "its twin, alone")
    assert line.accuracy is None
    assert "not finite by epoch 3" in page(view)
