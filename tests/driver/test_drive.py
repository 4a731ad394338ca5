"""Whole searches: real training, real databases, in this process and in workers."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from optuna.trial import TrialState
from sklearn.datasets import load_digits

from nas_kd.costs.budgets import parse_budgets
from nas_kd.data.arrays import ArrayRef
from nas_kd.data.transfer import TransferSet
from nas_kd.driver import generation
from nas_kd.driver.drive import drive
from nas_kd.driver.events import Event, Scored, Started, Step
from nas_kd.driver.options import RunOptions
from nas_kd.driver.stopper import LEADERS, survivors
from nas_kd.driver.teacher_names import describe
from nas_kd.errors import (
    BudgetTooSmall,
    SpecDiffers,
    Unusable,
    UnusableData,
    UnusableStudy,
    UnusableTeacher,
    WorkFailed,
)
from nas_kd.files import write_text
from nas_kd.front import Point
from nas_kd.metrics import METRICS, Metric
from nas_kd.report.summary import summarize
from nas_kd.students import FAMILIES
from nas_kd.students.decode import counts
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder
from nas_kd.study.sharing import share
from nas_kd.study.sqlite import open_sqlite
from nas_kd.study.view import StudyView, read_study, remark
from nas_kd.teachers import opened
from nas_kd.teachers.network import wide
from nas_kd.teachers.networks import made_of
from nas_kd.teachers.teacher import Answerer, Teacher
from nas_kd.training import Member
from tests.conftest import TAUGHT, Graded, results, searched, tiny


def test_a_search_ends_with_students_that_fit_and_a_front(study: StudyView) -> None:
    bound = parse_budgets(study.spec.budget)[0].bound
    done = [row for row in study.rows if row.state == "complete"]
    assert len(study.rows) == 8
    assert len(done) >= 7
    assert all(0 < row.costs["parameters"] <= bound for row in done)
    assert all(row.costs["parameters"] == counts(row.config).parameters for row in done)
    assert study.front
    assert study.pick("best").accuracy == max(row.accuracy or 0 for row in done)


def test_everything_of_a_finished_study_is_in_its_folder(study: StudyView) -> None:
    names = {path.name for path in study.folder.root.iterdir()}
    assert {"spec.toml", "study.db", "search.log", "data.json", "teacher", "signals",
            "students"} <= names  # fmt: skip
    for row in study.rows:
        if row.state == "complete" and not remark(row):
            place = study.folder.student(row.number)
            assert {path.name for path in place.iterdir()} == {
                "config.json", "weights.safetensors", "proof.safetensors", "answers.npy",
            }  # fmt: skip
    assert not list((study.folder.root / "checkpoints").rglob("*.*"))


def test_the_twin_is_the_best_student_without_the_teacher(study: StudyView) -> None:
    best, twin = study.pick("best"), study.facts["twin"]
    assert best.taught
    assert twin["trial"] == best.number
    assert twin["student"] == best.config.to_json()
    assert '"alpha": 0.0' in twin["settings"]


def test_two_workers_give_the_same_study_bit_for_bit(
    study: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_KD_CACHE", str(tmp_path / "cache"))
    other = searched(tmp_path / "other", workers=2, **TAUGHT)
    assert results(other) == results(study)
    assert other.facts["twin"] == study.facts["twin"]
    for row in study.rows:
        mine, theirs = (v.folder.student(row.number) / "weights.safetensors"
                        for v in (study, other))  # fmt: skip
        assert mine.exists() == theirs.exists()
        assert not mine.exists() or mine.read_bytes() == theirs.read_bytes()


def test_a_twin_that_is_known_is_not_trained_again(tmp_path: Path) -> None:
    seen: list[Event] = []
    graded = Graded(lambda member, epoch: 0.9 if member.trial == 1 else 0.5)
    searched(tmp_path, executor=graded, trials=4, **TAUGHT)
    options = RunOptions(tmp_path, workers=0)
    graded = Graded(lambda member, epoch: 0.5)
    drive(tiny(**TAUGHT | {"trials": 8}), options, seen.append, graded)
    assert read_study(StudyFolder(tmp_path)).facts["twin"]["trial"] == 1
    assert not [e for e in seen if isinstance(e, Started) and e.job.startswith("twin")]
    assert not list(tmp_path.rglob("*.epochs"))


def test_a_search_that_was_interrupted_at_its_twin_goes_on_also_when_compared_with_the_teacher(
    tmp_path: Path,
) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Started) and event.job.startswith("twin"):
            raise KeyboardInterrupt

    spec = TAUGHT | {"metric": "agreement", "trials": 4}
    with pytest.raises(KeyboardInterrupt):
        drive(tiny(**spec), RunOptions(tmp_path / "study", workers=0), stop)
    assert "twin" in searched(tmp_path / "study", **spec).facts


def test_a_study_that_is_extended_equals_one_that_was_longer_from_the_start(
    study: StudyView, tmp_path: Path
) -> None:
    searched(tmp_path / "grown", trials=4, **TAUGHT)
    grown = searched(tmp_path / "grown", trials=8, **TAUGHT)
    assert results(grown) == results(study)


def test_a_finished_study_says_so_and_how_to_add_trials(tmp_path: Path) -> None:
    searched(tmp_path / "study", trials=4)
    events: list[Event] = []
    drive(tiny(trials=4), RunOptions(tmp_path / "study", 0), events.append)
    (only,) = events
    assert isinstance(only, Step)
    assert "--trials +4" in only.text


def test_a_finished_study_is_not_taken_for_one_of_other_data(
    tmp_path: Path, study: StudyView
) -> None:
    pictures, classes = load_digits(return_X_y=True)
    for name, turned in (("one", pictures), ("two", pictures[:, ::-1])):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "mine.npz", X=turned.reshape(-1, 8, 8) / 16, y=classes)
    searched(tmp_path / "study", trials=4, data=f"npz:{tmp_path}/one/mine.npz")
    searched(tmp_path / "study", trials=4, data=f"npz:{tmp_path}/one/mine.npz")
    with pytest.raises(SpecDiffers, match=r"data: content(?s:.*)Bring its data back as they were"):
        searched(tmp_path / "study", trials=4, data=f"npz:{tmp_path}/two/mine.npz")
    with pytest.raises(UnusableData, match="cannot be read"):
        searched(tmp_path / "study", trials=4, data=f"npz:{tmp_path}/three/mine.npz")
    shutil.rmtree(tmp_path / "one")
    searched(tmp_path / "study", trials=4, data=f"npz:{tmp_path}/one/mine.npz")
    for weights in (study.folder.proof, tmp_path / "nowhere.pt"):
        with pytest.raises(UnusableTeacher, match="is for a teacher of yours, and none is named"):
            searched(study.folder.root, **TAUGHT, teacher_weights=(weights,))


def test_a_database_whose_making_was_interrupted_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "driver.lock").touch()
    open_sqlite(tmp_path / "study" / "study.db")  # tables, and no study in them
    assert len(searched(tmp_path / "study", trials=4).rows) == 4


def test_a_study_goes_on_in_a_folder_of_another_name(tmp_path: Path, study: StudyView) -> None:
    searched(tmp_path / "study", trials=4, **TAUGHT)
    (tmp_path / "study").rename(tmp_path / "renamed")
    assert results(searched(tmp_path / "renamed", trials=8, **TAUGHT)) == results(study)


def test_a_search_whose_time_takes_too_much_memory_to_know_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*arguments: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr("nas_kd.driver.timing.build_cohort", short)
    seen: list[Event] = []
    drive(tiny(trials=4), RunOptions(tmp_path / "study", 0), seen.append)
    said = [event.text for event in seen if isinstance(event, Step)]
    assert any("not known: a default student takes more memory" in text for text in said)
    assert len(read_study(StudyFolder(tmp_path / "study")).points) > 0


def test_files_of_something_else_are_left_alone(tmp_path: Path) -> None:
    for place in ("teacher/net.py", "checkpoints/best.pt", "search.log"):
        write_text(tmp_path / place, "mine")
    with pytest.raises(UnusableStudy, match="of something else"):
        searched(tmp_path, trials=4)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    kept = {path.relative_to(tmp_path).as_posix() for path in left}
    assert kept == {"teacher/net.py", "checkpoints/best.pt", "search.log"}


def test_another_spec_in_the_same_folder_lists_the_differences(tmp_path: Path) -> None:
    searched(tmp_path / "study", trials=4)
    with pytest.raises(SpecDiffers, match="epochs: 2 there, 3 asked"):
        searched(tmp_path / "study", trials=4, epochs=3)


def test_a_family_of_one_depth_is_searched_beside_others_whatever_their_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES, "five", replace(FAMILIES["mlp"], depths=range(5, 6)))
    monkeypatch.setitem(FAMILIES, "flat", replace(FAMILIES["mlp"], depths=range(1, 4)))
    for depth in ([1, 6], [1, 2]):
        spec = {"family": ["five", "flat"], "depth": depth}
        folder = tmp_path / str(depth[1])
        view = searched(folder, **spec)
        depths = {row.config.family: set[int]() for row in view.rows}
        for row in view.rows:
            depths[row.config.family].add(row.config.depth)
        assert depths["five"] == {5}
        assert depths["flat"] <= {1, 2, 3}
        assert len(searched(folder, **spec, trials=12).rows) == 12


def test_equal_trials_are_trained_once(tmp_path: Path) -> None:
    view = searched(
        tmp_path / "study", family="mlp", depth=2, width=1.0, taper=1.0, learning_rate=0.02,
        temperature=4.0, alpha=0.9, trials=8, rungs=[1],
    )  # fmt: skip
    assert [remark(row) for row in view.rows] == ["", *["same as trial 0"] * 7]
    assert len({row.accuracy for row in view.rows}) == 1
    assert len(list(view.folder.root.glob("students/*/config.json"))) == 1


def test_without_a_gain_the_twin_is_the_student_itself(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", alpha=0.0, trials=4)
    assert not view.pick("best").taught
    assert "twin" not in view.facts
    assert "Every student was trained without the teacher" in summarize(view).sentence


def test_with_a_fixed_alpha_the_largest_that_fits_is_trained_alone_as_a_control(
    tmp_path: Path,
) -> None:
    view = searched(tmp_path / "study", alpha=0.9, trials=4)
    for family in ("cnn", "mlp"):
        assert '"alpha": 0.0' in view.facts[f"largest {family} alone"]["settings"]


def test_students_that_are_stopped_at_a_rung_are_pruned_without_values(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", trials=12, generation=12, epochs=3, rungs=[1])
    trials = view.optuna.get_trials()
    stopped = [t for t in trials if t.state == TrialState.PRUNED]
    assert stopped
    assert all(t.values is None and not t.intermediate_values for t in stopped)
    assert all([epoch for epoch, _ in t.user_attrs["rungs"]] == [1] for t in stopped)
    finished = [t for t in trials if t.state == TrialState.COMPLETE]
    assert all([epoch for epoch, _ in t.user_attrs["rungs"]] == [1, 3] for t in finished
               if "duplicate_of" not in t.user_attrs)  # fmt: skip


@pytest.mark.parametrize("also", [[], ["12kB ram"]])
def test_a_rung_sees_no_cost_below_a_tenth_of_what_a_student_can_cost(
    tmp_path: Path, also: list[str]
) -> None:
    view = searched(tmp_path / "study", budget=["12k", *also], width=[0.05, 1.0], trials=12,
                    generation=12, rungs=[1], family="cnn", batch=64)  # fmt: skip
    fixed = view.facts["fixed"]
    least = min(12_000, max(row.costs[view.cost] for row in view.rows[:fixed])) / 10
    assert any(row.costs[view.cost] < least for row in view.rows)
    seen = [
        Point(row.number, row.rungs[0][1], max(row.costs[view.cost], least)) for row in view.rows
    ]
    stopped = {row.number for row in view.rows if row.state == "stopped"}
    steady = fixed + 2  # those of the ladder are not stopped either
    assert stopped == set(range(steady, 12)) - survivors(seen, [], view.spec.eta, LEADERS)


def test_of_a_generation_that_is_nowhere_on_the_front_the_most_accurate_go_on(
    tmp_path: Path,
) -> None:
    graded = Graded(lambda one, epoch: 0.9 if one.trial < 10 else 0.5 + 0.01 * one.trial)
    view = searched(tmp_path / "study", executor=graded, trials=20, generation=10, epochs=3,
                    rungs=[2], eta=99.0, family="mlp")  # fmt: skip
    trained = [row.number for row in view.rows[10:] if row.duplicate_of is None]
    finished = [row.number for row in view.rows[10:] if row.state == "complete"]
    assert finished == trained[-LEADERS:]


def test_a_student_whose_equal_was_cancelled_is_trained_when_it_is_proposed_again(
    tmp_path: Path,
) -> None:
    fixed = {"family": "mlp", "depth": 2, "width": 1.0, "taper": 1.0, "learning_rate": 0.02,
             "temperature": 4.0, "alpha": 0.9}  # fmt: skip
    tell = Ledger.tell

    def cancelled(ledger: Ledger, number: int, *rest: Any) -> None:
        if number == 0:
            ledger.study.tell(0, state=TrialState.FAIL)
        tell(ledger, number, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "tell", cancelled)
        view = searched(tmp_path / "study", trials=8, **fixed)
    states = [row.state for row in view.rows]
    assert states == ["cancelled", *["stopped"] * 3, *["complete"] * 4]
    assert [row.duplicate_of for row in view.rows[4:]] == [None, 4, 4, 4]


def test_a_generation_that_was_cut_short_is_closed_and_the_next_begins_anew(tmp_path: Path) -> None:
    searched(tmp_path / "study", trials=6)
    view = searched(tmp_path / "study", trials=12)
    assert [row.generation for row in view.rows] == [0] * 4 + [1] * 2 + [2] * 4 + [3] * 2


def test_views_are_seen_by_teacher_and_student(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", trials=2, generation=2, views=3)
    (meta,) = view.folder.root.glob("signals/*/meta.json")
    assert '"passes": 3' in meta.read_text()


def test_the_teacher_is_asked_once_a_view_and_not_once_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[int] = []

    def watched(teacher: Teacher, data: TransferSet, device: str) -> Answerer:
        answerer = opened(teacher, data, device)
        assert answerer.network is not None
        answerer.network.register_forward_hook(lambda m, x, result: answered.append(len(result)))
        return answerer

    monkeypatch.setattr("nas_kd.teachers.signals.opened", watched)
    monkeypatch.setenv("NAS_KD_CACHE", str(tmp_path / "cache"))
    view = searched(tmp_path / "study", trials=4, views=2, **TAUGHT)
    assert len(view.points) == 4
    assert sum(answered) == 2 * 1077 + 360  # the train split twice, the validation split once


def test_signals_are_joined_in_the_order_of_their_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = searched(tmp_path / "whole", trials=2, generation=2, views=2)
    monkeypatch.setattr("nas_kd.teachers.signals.SLICE", 256)
    monkeypatch.setenv("NAS_KD_CACHE", str(tmp_path / "cache"))
    sliced = searched(tmp_path / "sliced", workers=0, trials=2, generation=2, views=2)
    for name in ("logits.npy", "answers.npy"):
        one, other = (
            np.load(next(v.folder.root.glob(f"signals/*/{name}"))) for v in (whole, sliced)
        )
        assert np.array_equal(one, other)


def test_your_own_teacher_is_kept_in_the_study(tmp_path: Path) -> None:
    network = wide((1, 8, 8), 10, 4)
    torch.save(network.state_dict(), tmp_path / "teacher.pt")
    guesses = pytest.raises(UnusableTeacher, match="is at chance on the data")
    with guesses:
        searched(tmp_path / "study", teacher="tests.teachers.own:small", trials=4,
                 teacher_weights=(tmp_path / "teacher.pt",))  # fmt: skip


def test_a_search_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BudgetTooSmall):
        searched(tmp_path / "study", budget="10", trials=4)
    assert list(tmp_path.iterdir()) == []


def test_a_study_that_lost_its_spec_keeps_the_rest_whatever_fails_there(tmp_path: Path) -> None:
    searched(tmp_path / "study", trials=2)
    spec = (tmp_path / "study" / "spec.toml").read_text()
    (tmp_path / "study" / "spec.toml").unlink()
    files = {path.name for path in (tmp_path / "study").iterdir()}
    assert {"study.db", "teacher", "signals", "students", "search.log"} <= files
    with pytest.raises(SpecDiffers, match="data: digits there, csv:"):
        searched(tmp_path / "study", trials=4, data="csv:nowhere.csv")
    assert {path.name for path in (tmp_path / "study").iterdir()} == files | {"spec.toml"}
    assert (tmp_path / "study" / "spec.toml").read_text() == spec
    (tmp_path / "study" / "spec.toml").unlink()
    with pytest.raises(SpecDiffers, match="budget:"):
        searched(tmp_path / "study", trials=4, budget="3k")
    (tmp_path / "study" / "spec.toml").unlink()
    assert len(searched(tmp_path / "study", trials=4).rows) == 4


def test_a_second_budget_takes_the_teacher_and_its_signals_from_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_KD_CACHE", str(tmp_path / "cache"))
    seen: list[Event] = []
    for budget in ("2k", "1k", "500"):
        options = RunOptions(tmp_path / budget, workers=0)
        drive(tiny(budget=budget, trials=2), options, seen.append)
    jobs = [event.job for event in seen if isinstance(event, Started)]
    assert (jobs.count("teacher"), jobs.count("signals")) == (1, 1)
    said = [event.text for event in seen if isinstance(event, Step)]
    whose = f"teacher   from the cache: it was trained for {tmp_path / '2k'}, on the same data"
    assert said.count(whose) == 2
    views = [read_study(StudyFolder(tmp_path / budget)) for budget in ("2k", "1k")]
    assert views[0].teachers == views[1].teachers
    other = RunOptions(tmp_path / "other", workers=0)
    drive(tiny(budget="1k", trials=2, teacher_epochs=4), other, seen.append)
    assert [event.job for event in seen if isinstance(event, Started)].count("teacher") == 2


@pytest.mark.parametrize("content", [b"", b"no array"])
def test_damaged_arrays_are_named_or_made_again(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_KD_CACHE", str(tmp_path / "cache"))
    searched(tmp_path / "study", trials=2)
    for path in (tmp_path / "cache" / "data").rglob("examples-*.npy"):
        path.unlink()  # what is mapped stays as it is
        path.write_bytes(content)
    searched(tmp_path / "study", trials=3)
    for path in (tmp_path / "study" / "signals").rglob("logits.npy"):
        path.unlink()
        path.write_bytes(content)
    with pytest.raises(UnusableTeacher, match="were changed after they were written"):
        searched(tmp_path / "study", trials=4)


def test_signals_of_the_cache_that_are_not_what_the_teacher_answers_are_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_KD_CACHE", str(tmp_path / "cache"))
    searched(tmp_path / "first", trials=2)
    (kept,) = (tmp_path / "cache" / "signals").iterdir()
    others = np.load(kept / "logits.npy")[:, ::-1].copy()
    (place,) = (tmp_path / "first" / "signals").iterdir()
    shutil.rmtree(kept)
    right = (place / "logits.npy").read_bytes()
    array = ArrayRef.save(others, place / "logits.npy")
    facts = json.loads((place / "meta.json").read_text())
    facts["logits_VNC"]["sha256"] = array.sha256
    write_text(place / "meta.json", json.dumps(facts))
    share(place, kept, "runs/first")
    searched(tmp_path / "second", trials=2)
    theirs = tmp_path / "second" / "signals" / place.name
    assert (theirs / "logits.npy").read_bytes() == right
    assert (kept / "logits.npy").read_bytes() == right


class Moving(Graded):
    """Trains students for real, and moves their study away when one of them begins."""

    def __init__(self, study: Path, to: Path, trial: int) -> None:
        super().__init__(self.moved)
        self.study, self.to, self.trial = study, to, trial

    def moved(self, member: Member, epoch: int) -> float:
        if member.trial == self.trial and self.study.exists():
            self.study.rename(self.to)
        return 0.5


def test_a_study_that_is_moved_during_its_search_is_not_made_again_and_goes_on(
    tmp_path: Path,
) -> None:
    whole = searched(tmp_path / "whole", executor=Graded(lambda member, epoch: 0.5))
    old, new = tmp_path / "old", tmp_path / "new"
    with pytest.raises(UnusableStudy, match=r"moved or removed.*nas-kd search --study FOLDER"):
        searched(old, executor=Moving(old, new, 5))
    assert not old.exists()
    again = searched(new, executor=Graded(lambda member, epoch: 0.5))
    assert not old.exists()
    assert results(again) == results(whole)


def test_a_database_that_was_emptied_is_not_filled_anew(tmp_path: Path) -> None:
    searched(tmp_path / "study", trials=2)
    for path in (tmp_path / "study").glob("study.db*"):
        path.unlink()
    with pytest.raises(UnusableStudy, match="has lost its trials"):
        searched(tmp_path / "study", trials=4)
    open_sqlite(tmp_path / "study" / "study.db")
    with pytest.raises(UnusableStudy, match="has lost its trials"):
        searched(tmp_path / "study", trials=4)


def test_a_flipped_bit_in_the_stored_signals_is_noticed(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", trials=2)
    for name in ("logits.npy", "answers.npy"):
        (path,) = view.folder.root.glob(f"signals/*/{name}")
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(
            UnusableTeacher, match=r"were changed.*Delete the study's folder signals"
        ):
            searched(tmp_path / "study", trials=4)
        path.write_bytes(whole)
    assert len(searched(tmp_path / "study", trials=4).rows) == 4


def test_a_mistake_can_be_mended_in_the_same_folder(tmp_path: Path) -> None:
    with pytest.raises(BudgetTooSmall):
        searched(tmp_path / "study", budget="10", trials=4)
    with pytest.raises(UnusableTeacher):
        searched(tmp_path / "study", teacher="tests.teachers.own:small", trials=4)
    view = searched(tmp_path / "study", trials=4)
    assert view.teachers[0]["target"] == "train"


def test_your_own_teacher_teaches(study: StudyView, tmp_path: Path) -> None:
    weights = study.folder.teacher / "weights.safetensors"
    view = searched(tmp_path / "study", teacher="tests.teachers.own:eight_wide", trials=4,
                    teacher_weights=(weights,))  # fmt: skip
    assert view.teachers[0]["sha256"] == study.teachers[0]["sha256"]
    with pytest.raises(UnusableTeacher, match="is not the file that this study's teacher came"):
        searched(tmp_path / "study", teacher="tests.teachers.own:eight_wide", trials=8,
                 teacher_weights=(study.folder.proof,))  # fmt: skip
    for file, wrong in ((study.folder.proof, "is not the file"), ("nowhere.pt", "cannot be read")):
        with pytest.raises(UnusableTeacher, match=wrong):
            searched(tmp_path / "study", teacher="tests.teachers.own:eight_wide", trials=4,
                     teacher_weights=(Path(file),))  # fmt: skip
    grown = searched(tmp_path / "study", teacher="tests.teachers.own:eight_wide", trials=8)
    assert len(grown.rows) == 8


@pytest.mark.parametrize(
    ("dtype", "mean", "unit"), [("uint8", 78.0, 255), ("float32", 78.0, 255), ("float32", 0.3, 1)]
)
def test_a_teachers_normalisation_is_of_pictures_from_0_to_1(
    digits: TransferSet, dtype: str, mean: float, unit: float
) -> None:
    data = replace(digits, examples=replace(digits.examples, dtype=dtype), mean=(mean,))
    assert describe(tiny(), data, ())[0].expects.unit == unit


def test_a_budget_may_be_a_share_of_the_teacher(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", budget=["10%", "60k macs"], trials=4)
    bounds = dict(view.facts["budgets"])
    assert bounds["parameters"] == pytest.approx(view.teachers[0]["parameters"] / 10)
    assert all(row.costs["macs"] <= 60_000 for row in view.rows)


def test_time_that_is_up_starts_no_generation(tmp_path: Path) -> None:
    events: list[Event] = []
    options = RunOptions(tmp_path / "study", 0, seconds=0.001)
    drive(tiny(), options, events.append)
    assert any("is up after 0 of 8 trials" in e.text for e in events if isinstance(e, Step))
    assert not any(isinstance(e, Scored) for e in events)
    assert read_study(StudyFolder(options.folder)).rows == ()


def cancelled_by_a_person(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a trial cancelled in the moment before it is told."""
    tell = generation.tell

    def cancel(scene: Any, trial: Any, rest: Any) -> None:
        if trial.number == number:
            scene.ledger.study.tell(number, state=TrialState.FAIL)
        tell(scene, trial, rest)

    monkeypatch.setattr(generation, "tell", cancel)


def test_a_trial_that_a_person_cancels_stays_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled_by_a_person(1, monkeypatch)
    view = searched(tmp_path / "study", trials=4)
    assert view.rows[1].state == "cancelled"
    assert len(view.rows) == 4
    assert [line.state for line in summarize(view).lines if line.accuracy is None] == ["cancelled"]


def test_who_equals_a_cancelled_student_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {
        "family": "mlp", "depth": 2, "width": 1.0, "taper": 1.0, "learning_rate": 0.02,
        "temperature": 4.0, "alpha": 0.9, "trials": 4, "generation": 1,
    }  # fmt: skip
    cancelled_by_a_person(0, monkeypatch)
    view = searched(tmp_path / "study", **one)
    assert [row.state for row in view.rows] == ["cancelled", *["complete"] * 3]
    assert [remark(row) for row in view.rows[1:]] == ["", *["same as trial 1"] * 2]


def test_a_student_to_which_a_metric_gives_no_share_fails_and_the_study_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def strange(logits_GNC: torch.Tensor, labels_N: torch.Tensor) -> torch.Tensor:
        asked.append(1)
        return METRICS["accuracy"].score(logits_GNC, labels_N) * (1.5 if len(asked) > 5 else 0.5)

    monkeypatch.setitem(METRICS, "mine", Metric(strange))
    searched(tmp_path, trials=4, metric="mine")
    view = searched(tmp_path, trials=8, metric="mine")
    faults = {row.fault for row in view.rows} - {None}
    assert faults
    assert all("the metric gives 1." in str(fault) for fault in faults)
    assert len(read_study(StudyFolder(tmp_path)).points) == len(view.points) < 8


def test_checkpoints_of_a_trial_that_was_told_just_before_a_kill_go_on_resume(
    tmp_path: Path,
) -> None:
    view = searched(tmp_path, trials=4)
    kept = view.folder.checkpoint(2, 1)
    write_text(kept, "weights")
    searched(tmp_path, trials=5)
    assert not kept.parent.exists()


def test_a_study_that_lost_its_teacher_of_the_users_takes_no_other(
    study: StudyView, tmp_path: Path
) -> None:
    own = {"teacher": "tests.teachers.own:eight_wide",
           "teacher_weights": (study.folder.teacher / "weights.safetensors",)}  # fmt: skip
    view = searched(tmp_path, trials=4, **own)
    shutil.rmtree(view.folder.teacher)
    with pytest.raises(UnusableStudy, match="teacher: is missing"):
        searched(tmp_path, trials=8, **own)


def test_a_job_that_its_environment_fails_ends_the_search_with_all_kept(tmp_path: Path) -> None:
    options = RunOptions(tmp_path / "study", 1, job_limit=0.01)
    with pytest.raises(WorkFailed, match="run the same search again"):
        drive(tiny(trials=4), options, lambda event: None)
    drive(tiny(trials=4), RunOptions(tmp_path / "study", 0), lambda event: None)
    assert len(read_study(StudyFolder(tmp_path / "study")).points) == 4


def test_what_happened_is_in_the_log(study: StudyView) -> None:
    text = study.folder.log.read_text()
    for part in ("data      digits", "teacher ", "signals ", "fits ", "trial 0 ", "control "):
        assert part in text


def test_the_teachers_hash_is_the_same_before_and_after(study: StudyView) -> None:
    weights = study.folder.teacher / "weights.safetensors"
    teacher = Teacher("train", (1, 8, 8), 10, width=8, weights=str(weights))
    assert made_of(opened(teacher, study.folder.read_data())) == study.teachers[0]["sha256"]


def test_a_study_is_judged_by_another_metric_and_its_classes_weighed(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", metric="balanced-accuracy", class_weights="balanced")
    assert view.optuna.metric_names == ["validation balanced accuracy", "parameters"]
    assert view.metric == "balanced accuracy"
    assert view.facts["chance"] == 0.1
    plain = searched(tmp_path / "plain")
    assert results(view) != results(plain)


def test_a_metric_that_is_always_right_is_refused_before_anything_is_trained(
    tmp_path: Path,
) -> None:
    pictures, classes = load_digits(n_class=4, return_X_y=True)
    np.savez(tmp_path / "four.npz", X=pictures.reshape(-1, 8, 8), y=classes)
    with pytest.raises(Unusable, match="is always right where there are 4 classes"):
        searched(tmp_path / "study", data=f"npz:{tmp_path}/four.npz", metric="top-5")


def test_a_teacher_that_cannot_be_told_from_chance_on_few_examples_is_a_warning(
    tmp_path: Path,
) -> None:
    np.savez(tmp_path / "few.npz", X=np.ones((60, 6), np.float32), y=np.arange(60) % 2)
    view = searched(tmp_path / "study", data=f"npz:{tmp_path}/few.npz", trials=2, family="mlp")
    log = (view.folder.root / "search.log").read_text()
    assert "cannot be told from chance on 16 examples: guessing reaches 50.0%" in log
    assert "splits    16 validation examples are few: two students may differ by" in log


def test_a_search_by_agreement_takes_the_teacher_as_right(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", metric="agreement", trials=4, batch=32)
    teacher, *_ = summarize(view).lines
    assert teacher.accuracy == 1
    assert 0.5 < view.teachers[0]["accuracy"] < 1
    assert "worse than a student" not in summarize(view).sentence
    assert view.metric == "agreement with the teacher"
    (answers,) = view.folder.root.glob("signals/*/answers.npy")
    given = np.bincount(np.load(answers))
    assert view.facts["chance"] == given.max() / given.sum()
    assert all(row.accuracy for row in view.rows if row.state == "complete")
