"""Promotion: stopped students of which most is to be expected go on to their end."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from nas_kd.api import frame
from nas_kd.driver import promotion as chances
from nas_kd.driver.drive import drive
from nas_kd.driver.events import Event, Scored
from nas_kd.driver.options import RunOptions
from nas_kd.errors import UnusableStudy
from nas_kd.package.load import load_student
from nas_kd.package.write import export
from nas_kd.report.page import page
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import StudyView, read_study
from nas_kd.training import Member
from tests.conftest import TAUGHT, Graded, results, tiny
from tests.conftest import searched as search

SPEC: dict[str, Any] = TAUGHT | {
    "family": "resnet", "trials": 16, "generation": 8, "epochs": 3, "rungs": [1], "eta": 8.0,
    "second_chances": 0.85, "teacher": "tests.teachers.own:eight_wide", "batch": 128, "seed": 1,
}  # fmt: skip
"""Students that are never packed, so that each is the same whoever is beside it."""


def grade(member: Member, epoch: int) -> float:
    """The fixed first three are good from the start; the others become better still."""
    if member.trial < 3:
        return 0.9 - 0.01 * member.trial
    share = int(member.config.key()[:4], 16) / 2**16
    return 0.5 + 0.1 * share if epoch == 1 else 0.93 + 0.05 * share


def searched(folder: Path, executor: Graded | None = None, **settings: Any) -> StudyView:
    """Search with accuracies that are given by hand."""
    return search(folder, executor=executor or Graded(grade), **settings)


@pytest.fixture(scope="module")
def weights(study: StudyView) -> Path:
    """Of a teacher, so that no study here trains one."""
    return study.folder.teacher / "weights.safetensors"


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, cache: Path, weights: Path) -> StudyView:
    """A study with second chances; read only."""
    return searched(tmp_path_factory.mktemp("chances") / "given", **SPEC, teacher_weights=weights)


def again(view: StudyView) -> list[int]:
    """The trials that continue one."""
    return [row.number for row in view.rows if row.continues is not None]


def test_stopped_students_go_on_as_trials_of_their_own_within_the_share(given: StudyView) -> None:
    assert len(given.students) == 16
    assert {8, 9} <= set(again(given)), "after the first generation, two"
    assert len(again(given)) > sum(number < 16 for number in again(given)) > 0
    for number in again(given):
        mine, stopped = given.rows[number], given.rows[given.rows[number].continues or 0]
        assert (mine.state, stopped.state) == ("complete", "stopped")
        assert mine.config == stopped.config
        assert (mine.settings["alpha"], mine.settings["temperature"]) == (
            stopped.settings["alpha"],
            stopped.settings["temperature"],
        )
        assert [epoch for epoch, _ in stopped.rungs] == [1]
        assert mine.rungs[0] == stopped.rungs[0]
        assert [epoch for epoch, _ in mine.rungs] == [1, 3]
    spent = sum(row.rungs[-1][0] for row in given.students if row.rungs)
    trained = sum(bool(row.rungs) for row in given.students)
    assert 0.85 * 3 * trained - 2 < spent <= 0.85 * 3 * trained


def test_who_went_on_ends_like_one_that_was_never_stopped_and_so_does_its_twin(
    given: StudyView, tmp_path: Path, weights: Path
) -> None:
    some = SPEC | {"trials": 8, "second_chances": 1.0}
    stopped = searched(tmp_path / "stopped", **some, teacher_weights=weights)
    never = searched(tmp_path / "never", **some | {"rungs": []}, teacher_weights=weights)
    assert again(stopped)
    for number in again(stopped):
        whole = stopped.rows[number].continues
        students = [v.folder.student(n) for v, n in ((stopped, number), (never, whole))]
        first, second = ((place / "weights.safetensors").read_bytes() for place in students)
        assert first == second
    best = stopped.pick("best")
    assert best.continues == never.pick("best").number
    twins = [
        view.folder.control(f"twin of trial {view.facts['twin']['trial']}") / "weights.safetensors"
        for view in (stopped, never)
    ]
    assert twins[0].parent.name == f"twin-of-trial-{best.number}"
    assert twins[0].read_bytes() == twins[1].read_bytes()


def test_a_longer_study_begins_like_a_shorter_one(
    given: StudyView, tmp_path: Path, weights: Path
) -> None:
    searched(tmp_path, **SPEC | {"trials": 8}, teacher_weights=weights)
    assert len(list((tmp_path / "checkpoints").iterdir())) > 0
    assert results(searched(tmp_path, **SPEC, teacher_weights=weights)) == results(given)


Moment = Callable[[Ledger, int], bool]
Interrupt = Callable[[str, int | Moment, dict[str, Any]], None]


@pytest.fixture
def interrupt(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Search, and interrupt that at the n-th call of a method of the ledger, or at the first for a
    trial of which something is true."""

    def search(name: str, moment: int | Moment, spec: dict[str, Any]) -> None:
        whole, calls = getattr(Ledger, name), []

        def torn(ledger: Ledger, *rest: Any) -> None:
            calls.append(1)
            if moment(ledger, *rest[:1]) if callable(moment) else len(calls) == moment:
                raise KeyboardInterrupt
            whole(ledger, *rest)

        with monkeypatch.context() as broken:
            broken.setattr(Ledger, name, torn)
            with pytest.raises(KeyboardInterrupt):
                searched(tmp_path, **spec, teacher_weights=weights)

    return search


@pytest.mark.parametrize("moment", ["propose", "tell"])
def test_an_interruption_between_two_of_them_changes_nothing(
    moment: str, given: StudyView, tmp_path: Path, weights: Path, interrupt: Interrupt
) -> None:
    interrupt(moment, 8 + 2, SPEC)
    states = [t.state for t in Ledger.open(StudyFolder(tmp_path).database).trials()[8:]]
    running, told = TrialState.RUNNING, TrialState.COMPLETE
    assert states[:2] == ([running] if moment == "propose" else [told, running])
    assert results(searched(tmp_path, **SPEC, teacher_weights=weights)) == results(given)


def test_a_study_is_not_finished_while_somebody_may_go_on(
    given: StudyView, tmp_path: Path, weights: Path, interrupt: Interrupt
) -> None:
    interrupt("tell", len(given.rows), SPEC)
    options = RunOptions(tmp_path, workers=0, teacher_weights=weights, seconds=0.0)
    drive(tiny(**SPEC), options, lambda event: None, Graded(grade))
    assert "finished" not in Ledger.open(StudyFolder(tmp_path).database).facts()
    assert results(searched(tmp_path, **SPEC, teacher_weights=weights)) == results(given)


def test_who_was_interrupted_goes_on_though_the_study_grows_and_its_generations_end_elsewhere(
    tmp_path: Path, weights: Path, interrupt: Interrupt
) -> None:
    ten = SPEC | {"trials": 10, "second_chances": 1.0}

    def promoted_of_ten(ledger: Ledger, number: int) -> bool:
        return len(ledger.asked()) == 10 and ledger.records()[number].continues is not None

    ten["executor"] = Graded(lambda member, epoch: 0.9 - 0.01 * member.trial)
    interrupt("tell", promoted_of_ten, ten)
    before = Ledger.open(StudyFolder(tmp_path).database).records()
    assert not before[-1].finished
    assert before[-1].continues is not None
    view = searched(tmp_path, **ten | {"trials": 16}, teacher_weights=weights)
    assert {row.state for row in view.students} == {"complete"}
    assert len(view.students) == 16


def test_of_one_that_was_cancelled_the_stopped_trial_still_counts(
    given: StudyView, tmp_path: Path, weights: Path, interrupt: Interrupt
) -> None:
    number = again(given)[0]
    interrupt("tell", 8 + 1, SPEC)
    stored = Ledger.open(StudyFolder(tmp_path).database).study
    stored.tell(number, state=TrialState.FAIL)
    view = searched(tmp_path, **SPEC, teacher_weights=weights)
    stopped = given.rows[number].continues or 0
    assert (view.rows[number].state, view.rows[stopped].state) == ("cancelled", "stopped")
    assert [row.number for row in view.rows if row.continues == stopped] == [number]
    assert stopped in [row.number for row in view.students]
    assert number not in [row.number for row in view.students]
    assert len(view.students) == 16


def test_if_one_is_cancelled_before_all_are_proposed_the_others_go_on(
    given: StudyView, tmp_path: Path, weights: Path, interrupt: Interrupt
) -> None:
    first, second = again(given)[:2]
    interrupt("propose", 8 + 2, SPEC)
    Ledger.open(StudyFolder(tmp_path).database).study.tell(first, state=TrialState.FAIL)
    view = searched(tmp_path, **SPEC, teacher_weights=weights)
    assert view.rows[first].state == "cancelled"
    assert view.rows[second].continues == given.rows[second].continues


def test_who_lost_the_checkpoint_is_trained_anew(
    given: StudyView, tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(scene: Any, *rest: Any) -> list[int]:
        shutil.rmtree(scene.folder.root / "checkpoints")
        return promising(scene, *rest)

    promising = chances.promising
    monkeypatch.setattr(chances, "promising", lose)
    assert results(searched(tmp_path, **SPEC, teacher_weights=weights)) == results(given)


def test_checkpoints_stay_only_of_those_that_may_go_on(
    given: StudyView, tmp_path: Path, weights: Path
) -> None:
    waiting = [
        row.number
        for row in given.rows
        if row.state == "stopped" and row.rungs and row.number not in given.goes_on
    ]
    kept = sorted((given.folder.root / "checkpoints").iterdir())
    assert [int(folder.name) for folder in kept] == waiting
    assert all({path.name for path in folder.iterdir()} == {"rung-1.json", "rung-1.safetensors"}
               for folder in kept)  # fmt: skip
    for folder in kept:
        parameters = given.rows[int(folder.name)].costs["parameters"]
        written = (folder / "rung-1.safetensors").stat().st_size
        assert 12 * parameters < written < 12 * parameters + 20_000, "weights and two moments"
    never = SPEC | {"trials": 8, "second_chances": 0.0}
    none = searched(tmp_path, **never, teacher_weights=weights)
    assert not again(none)
    assert not list((tmp_path / "checkpoints").iterdir())


def test_nobody_goes_on_before_the_fixed_first_students_ended(
    tmp_path: Path, weights: Path
) -> None:
    four = SPEC | {"trials": 8, "generation": 3, "second_chances": 1.0}
    view = searched(tmp_path, **four, teacher_weights=weights)
    assert [row.continues for row in view.rows[:6]] == [None] * 6
    assert again(view)


def test_it_is_said_who_goes_on_and_each_student_is_counted_once(
    tmp_path: Path, weights: Path
) -> None:
    seen: list[Event] = []
    options = RunOptions(tmp_path, workers=0, teacher_weights=weights)
    drive(tiny(**SPEC | {"trials": 8}), options, seen.append, Graded(grade))
    scored = [event for event in seen if isinstance(event, Scored)]
    gone_on = [event for event in scored if event.student.continues is not None]
    gone_on.sort(key=lambda event: event.student.number)
    assert [event.student.number for event in gone_on] == again(read_study(StudyFolder(tmp_path)))
    assert all(event.stopped is None for event in gone_on)
    assert len(scored) - len(gone_on) == 8
    log = (tmp_path / "search.log").read_text()
    assert f"chances   trials {gone_on[0].student.continues}, " in log
    assert f"; trial {gone_on[0].student.continues} gone on" in log


def test_reports_show_a_student_that_went_on_once(given: StudyView, tmp_path: Path) -> None:
    number = again(given)[0]
    stopped = given.rows[number].continues
    assert given.note(given.rows[stopped or 0]).endswith(f"at epoch 1, goes on as trial {number}")
    assert given.note(given.rows[number]) == f"trial {stopped} gone on"
    assert {str(frame(given, given.rows)[n].dtype) for n in ("continues", "goes_on")} == {"Int64"}
    text = page(given)
    assert "16 trials of" in text
    assert f"{len(again(given))} of the stopped went on later." in text
    with pytest.raises(UnusableStudy, match=f"It goes on as trial {number}: say that."):
        given.pick(str(stopped))
    package = export(given, str(number), tmp_path / "package")
    load_student(package)
    assert json.loads((package / "config.json").read_text())["trial"] == number
