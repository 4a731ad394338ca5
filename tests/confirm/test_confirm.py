"""Confirming real small studies: who is trained, what is kept, what is said."""

import json
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from nas_kd.api import Study
from nas_kd.confirm import confirm as confirming
from nas_kd.confirm import trainings
from nas_kd.confirm.against import against
from nas_kd.confirm.asked import Asked
from nas_kd.confirm.confirm import confirm
from nas_kd.confirm.confirmation import Confirmation, confirmed_as, read_confirmation
from nas_kd.confirm.finalists import finalists
from nas_kd.confirm.opening import options_of
from nas_kd.confirm.random_search import trials_for
from nas_kd.driver.events import Event, Step, Trained
from nas_kd.errors import (
    InvalidSpec,
    SpecDiffers,
    StudyLocked,
    Unusable,
    UnusableData,
    UnusableStudy,
)
from nas_kd.metrics import METRICS, Metric
from nas_kd.package.evaluate import evaluate
from nas_kd.package.load import load_student
from nas_kd.package.write import export
from nas_kd.report.card import shown
from nas_kd.report.cards import cards, controls, verdict
from nas_kd.report.confirmed import against_card
from nas_kd.report.smallest import answer_in_words, find
from nas_kd.students import FAMILIES
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder
from nas_kd.study.looks import scores_of_confirms
from nas_kd.study.view import StudyView, read_study
from nas_kd.teachers.from_python import GIVEN, give
from nas_kd.training import RungJob
from nas_kd.workers.in_process import InProcess
from tests.conftest import TAUGHT, Run, searched

P = ParamSpec("P")
T = TypeVar("T")
SHORT = Asked(seeds=2, epochs=1)


def copied(study: StudyView, to: Path) -> StudyView:
    """A study of one's own, as the other was searched."""
    shutil.copytree(study.folder.root, to)
    for name in ("confirm", "best"):
        shutil.rmtree(to / name, ignore_errors=True)
    for name in ("confirm.json", "confirm-scores.json", "evaluations.json"):
        (to / name).unlink(missing_ok=True)
    return read_study(StudyFolder(to))


def run_confirm(
    folder: Path, asked: Asked = SHORT, workers: int = 0
) -> tuple[Confirmation, list[Event]]:
    """A confirm, and what it told."""
    events: list[Event] = []
    return confirm(options_of(folder, workers), asked, events.append), events


@pytest.fixture(scope="module")
def done(
    study: StudyView, tmp_path_factory: pytest.TempPathFactory
) -> tuple[StudyView, Confirmation, list[Event]]:
    """A confirmed study; read only."""
    torch.manual_seed(0)
    view = copied(study, tmp_path_factory.mktemp("confirmed") / "digits-2k")
    return view, *run_confirm(view.folder.root)


def texts(events: list[Event]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Step))


Done = tuple[StudyView, Confirmation, list[Event]]


def test_the_best_its_twin_and_each_familys_default_student_are_confirmed(done: Done) -> None:
    view, result, _ = done
    assert [one.role for one in result.students] == [
        "best", "its twin, alone", "largest cnn", "largest cnn, alone", "largest mlp",
        "largest mlp, alone",
    ]  # fmt: skip
    best = view.pick("best")
    assert result.students[0].trial == best.number
    assert result.students[0].label == best.config.name()
    assert (result.seeds, result.epochs, result.examples) == (2, 1, 360)
    assert len(result.sentences) == 2
    assert result.teachers[0] is not None
    assert result.teachers[0] > 0.5


def test_every_student_is_scored_on_test_once_with_each_seed(done: Done) -> None:
    view, result, events = done
    keys = {one.key for one in result.students}
    assert scores_of_confirms(view.folder.root) == 2 * len(keys)
    trained = [event.name for event in events if isinstance(event, Trained)]
    rates = [name for name in trained if "learning rate" in name]
    assert len(rates) == 3
    assert len(trained) == len(set(trained)) == 2 * len(keys) + 3
    assert view.looks == 2 * len(keys)


def test_a_student_reaches_what_its_answers_say(done: Done) -> None:
    view, result, _ = done
    data = view.folder.read_data()
    labels_N = data.labels.open()[slice(*data.test)]
    for one in result.students:
        assert one.reached is not None
        for seed, reached in enumerate(one.seeds):
            place = view.folder.confirmed / "epochs-1" / one.key / f"seed-{seed}"
            answers_NK = np.load(place / "answers.npy")
            assert reached == pytest.approx((answers_NK[:, 0] == labels_N).mean())
        assert one.reached.mean == pytest.approx(np.mean([x for x in one.seeds if x is not None]))
        assert one.reached.low < one.reached.mean < one.reached.high
    best, *others = result.students
    for one in others:
        if one.behind and one.reached and best.reached:
            assert one.behind.mean == pytest.approx(best.reached.mean - one.reached.mean)


def test_seeds_draw_other_weights_and_students_of_one_seed_have_the_same_order(done: Done) -> None:
    view, result, _ = done
    for one in result.students:
        first, second = (
            (view.folder.confirmed / "epochs-1" / one.key / f"seed-{n}" / "weights.safetensors")
            for n in (0, 1)
        )
        assert first.read_bytes() != second.read_bytes()


def test_the_twin_has_the_best_of_three_learning_rates_on_validation(done: Done) -> None:
    view, result, events = done
    twin = result.student("its twin, alone")
    assert twin is not None
    found = float(view.pick("best").settings["learning_rate"])
    tried = {
        path.parent.parent.name: json.loads(path.read_text())["accuracy"]
        for path in view.folder.confirmed.glob("epochs-1/*/rate/outcome.json")
    }
    assert len(tried) == 3
    assert tried[twin.key] == max(tried.values())
    assert any(twin.learning_rate == pytest.approx(found * share) for share in (1, 1 / 3, 3))
    assert "on validation" in texts(events)


def test_the_time_is_estimated_before_anything_is_trained(done: Done) -> None:
    _, _, events = done
    said = [type(e).__name__ if isinstance(e, Trained) else getattr(e, "text", "") for e in events]
    first = next(n for n, text in enumerate(said) if text.startswith("time      about"))
    assert "Trained" not in said[:first]
    assert "trainings" in said[first]


def test_again_nothing_is_trained_and_the_result_is_the_same(done: Done) -> None:
    view, result, _ = done
    before = (view.folder.confirmation).read_text()
    again, events = run_confirm(view.folder.root)
    assert not any(isinstance(event, Trained) for event in events)
    assert again.model_copy(update={"when": result.when}) == result
    assert not any(text.startswith("time ") for text in texts(events).splitlines())
    assert view.folder.confirmation.read_text() == before
    assert "was looked at before" not in texts(events)


def test_more_seeds_are_added_to_those_that_are_there_and_it_is_said(
    study: StudyView, tmp_path: Path
) -> None:
    view = copied(study, tmp_path / "study")
    first, _ = run_confirm(view.folder.root)
    more, events = run_confirm(view.folder.root, replace(SHORT, seeds=3))
    trained = [event.name for event in events if isinstance(event, Trained)]
    assert trained
    assert all(name.endswith("seed 2") for name in trained)
    assert more.looks == scores_of_confirms(view.folder.root) - len(trained) > 0
    assert "was looked at before" in texts(events)
    for one, other in zip(first.students, more.students, strict=True):
        assert other.seeds[:2] == one.seeds
    again, _ = run_confirm(view.folder.root, replace(SHORT, seeds=3))
    assert again.looks == more.looks
    added, events = run_confirm(view.folder.root, replace(SHORT, seeds=3, trials=("5",)))
    if any(isinstance(event, Trained) for event in events):
        assert added.looks == scores_of_confirms(view.folder.root) - 3


def test_an_extended_confirm_that_is_ended_counts_the_looks_from_before_it_began(
    done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = copied(done[0], tmp_path / "study")
    run_confirm(view.folder.root)
    before = scores_of_confirms(view.folder.root)
    with monkeypatch.context() as patch:
        end_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            run_confirm(view.folder.root, replace(SHORT, seeds=3))
    assert scores_of_confirms(view.folder.root) > before
    more, _ = run_confirm(view.folder.root, replace(SHORT, seeds=3))
    assert more.looks == before


def end_after(patch: pytest.MonkeyPatch, count: int) -> None:
    """End the confirm when so many trainings are kept."""
    keep, kept = trainings.keep, list[int]()

    def ending(*arguments: Any) -> None:
        keep(*arguments)
        kept.append(1)
        if len(kept) == count:
            raise KeyboardInterrupt

    patch.setattr(trainings, "keep", ending)


@pytest.mark.parametrize("at", [2, 5, 9])
def test_a_confirm_that_was_ended_goes_on_to_the_same_result(
    done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    whole, result, _ = done
    view = copied(whole, tmp_path / "study")
    with monkeypatch.context() as patch:
        end_after(patch, at)
        with pytest.raises(KeyboardInterrupt):
            run_confirm(view.folder.root)
    assert not view.folder.confirmation.exists()
    again, _ = run_confirm(view.folder.root)
    assert again.model_copy(update={"when": result.when}) == result
    assert scores_of_confirms(view.folder.root) == scores_of_confirms(whole.folder.root)


def test_two_workers_confirm_what_one_process_confirms(done: Done, tmp_path: Path) -> None:
    whole, result, _ = done
    view = copied(whole, tmp_path / "study")
    again, _ = run_confirm(view.folder.root, workers=2)
    assert again.model_copy(update={"when": result.when}) == result
    for path in whole.folder.confirmed.glob("epochs-1/*/*/weights.safetensors"):
        other = view.folder.confirmed / path.relative_to(whole.folder.confirmed)
        assert other.read_bytes() == path.read_bytes()


def test_answers_that_were_changed_are_named(done: Done, tmp_path: Path) -> None:
    view = copied(done[0], tmp_path / "study")
    run_confirm(view.folder.root)
    answers = next(view.folder.confirmed.glob("epochs-1/*/seed-1/answers.npy"))
    answers.write_bytes(answers.read_bytes()[:-2] + b"\x00\x01")
    with pytest.raises(UnusableStudy, match="not what they were"):
        run_confirm(view.folder.root)


@pytest.fixture(scope="module")
def own_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network of the user's."""
    place = tmp_path_factory.mktemp("own")
    (place / "ours.py").write_text(
        "import torch\n"
        "from torch import nn\n\n\n"
        "class Ours(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.scale = nn.Parameter(torch.ones(1))\n"
        "        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n\n"
        "    def forward(self, x):\n"
        "        return self.scale * self.body(x)\n\n\n"
        "def five():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 5))\n\n\n"
        "def narrow():\n    return nn.Linear(3, 10)\n"
    )
    return place


def test_a_network_of_the_users_is_a_baseline_distilled_and_alone(
    study: StudyView, tmp_path: Path, own_module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(own_module))
    view = copied(study, tmp_path / "study")
    result, _ = run_confirm(view.folder.root, replace(SHORT, baseline="ours:Ours"))
    for role in ("baseline", "baseline, alone"):
        one = result.student(role)
        assert one is not None
        assert one.label == "ours:Ours"
        assert one.costs["parameters"] == 651
        assert one.reached is not None
        assert one.behind is not None
    changed = (
        (own_module / "ours.py")
        .read_text()
        .replace("nn.Linear(64, 10))", "nn.Linear(64, 10, False))")
    )
    kept = one.key
    (own_module / "ours.py").write_text(changed)
    monkeypatch.delitem(sys.modules, "ours")
    monkeypatch.delitem(FAMILIES, "whole:ours:Ours")
    again, _ = run_confirm(view.folder.root, replace(SHORT, baseline="ours:Ours"))
    other = again.student("baseline, alone")
    assert other is not None
    assert (other.key != kept, other.costs["parameters"]) == (True, 641)
    for name, wrong in (("ours:five", "gives"), ("ours:narrow", "cannot be made and trained")):
        with pytest.raises(Unusable, match=wrong):
            run_confirm(view.folder.root, replace(SHORT, baseline=name))
    with pytest.raises(Unusable, match="cannot be imported"):
        run_confirm(view.folder.root, replace(SHORT, baseline="ours:nothing"))


def test_the_knee_the_smallest_a_trial_and_the_best_of_a_random_search_can_be_added(
    study: StudyView, tmp_path: Path
) -> None:
    view = copied(study, tmp_path / "study")
    asked = replace(SHORT, front=True, random=True, trials=("0",))
    result, events = run_confirm(view.folder.root, asked)
    roles = [one.role for one in result.students]
    assert roles[-4:] == ["knee", "smallest", "trial 0", "best of random"]
    found = read_study(StudyFolder(view.folder.confirmed / f"random-{trials_for(view)}"))
    assert found.spec.sampler == "random"
    assert found.teachers[0]["sha256"] == view.teachers[0]["sha256"]
    of_random = result.student("best of random")
    assert of_random is not None
    assert of_random.trial is None
    assert len(found.rows) == trials_for(view) == 8
    assert found.looks == 0
    assert "random    searching" in texts(events)


def test_two_studies_are_compared_best_against_best(study: StudyView, tmp_path: Path) -> None:
    first = copied(study, tmp_path / "first")
    second = searched(tmp_path / "second", family="mlp", **TAUGHT)
    options = [options_of(view.folder.root, 0) for view in (first, second)]
    result = against(options[0], options[1], SHORT, lambda event: None)
    assert result.studies == ("first", "second")
    assert result.difference is not None
    one, other = (student.reached for student in result.students)
    assert one is not None
    assert other is not None
    assert result.difference.mean == pytest.approx(one.mean - other.mean)
    kept = json.loads((tmp_path / "first" / "against-second.json").read_text())
    assert kept["sentence"] == result.sentence
    card = against_card(result)
    heads, rows = shown(card.frame)
    assert heads[-1] == "teacher's accuracy, %"
    assert [row[0] for row in rows] == ["first", "second"]
    assert rows[0][-1] == f"{100 * (result.teachers[0] or 0):.2f}"
    reverse = against(options[1], options[0], SHORT, lambda event: None)
    assert reverse.difference is not None
    assert reverse.difference.mean == pytest.approx(-result.difference.mean)


def test_studies_that_cannot_be_compared_are_named(study: StudyView, tmp_path: Path) -> None:
    first = copied(study, tmp_path / "first")
    other = searched(tmp_path / "other", split_seed=3, trials=4, family="mlp")
    metric = searched(tmp_path / "metric", metric="macro-f1", trials=4, family="mlp")
    mine = options_of(first.folder.root, 0)
    for view, wrong in (
        (first, "named twice"), (other, "other test examples"), (metric, "accuracy with macro-f1"),
    ):  # fmt: skip
        with pytest.raises(Unusable, match=wrong):
            against(mine, options_of(view.folder.root, 0), SHORT, lambda event: None)


def test_a_package_after_a_confirm_has_the_first_seed_and_says_the_interval(
    done: Done, tmp_path: Path
) -> None:
    view, result, _ = done
    package = export(view, "best", tmp_path / "package")
    best = result.students[0]
    place = view.folder.confirmed / "epochs-1" / best.key / "seed-0"
    mine = (package / "weights.safetensors").read_bytes()
    assert mine == (place / "weights.safetensors").read_bytes()
    card = (package / "card.md").read_text()
    assert best.reached is not None
    assert f"| test accuracy | {100 * best.reached.mean:.2f} (" in card
    assert "of seed\n0" in card.replace("seed 0", "seed\n0")
    seen = evaluate(package, None, Path(), "test")
    assert seen["accuracy"] == pytest.approx(best.seeds[0])
    other = export(view, str(view.rows[-1].number), tmp_path / "other")
    if view.rows[-1].number != view.pick("best").number:
        assert "A confirm trained it" not in (other / "card.md").read_text()


def test_a_look_at_a_confirmed_package_is_counted_in_its_study(done: Done, tmp_path: Path) -> None:
    view = copied(done[0], tmp_path / "study")
    run_confirm(view.folder.root)
    before = read_study(view.folder).looks
    result = evaluate(export(view, "best", view.folder.root / "best"), None, Path(), "test")
    assert "note" not in result
    assert read_study(view.folder).looks == before + 1


def test_the_cards_are_of_the_confirm_until_another_student_is_the_best(done: Done) -> None:
    view, result, _ = done
    card = verdict(view)
    for sentence in result.sentences:
        assert sentence in card.subtitle
    assert "test examples" in controls(view).subtitle
    other = replace(view, rows=tuple(
        replace(row, accuracy=1.0) if row.number == 0 else row for row in view.rows
    ))  # fmt: skip
    if view.pick("best").number != 0:
        assert "validation examples" in controls(other).subtitle
    assert len(cards(view)) == 8


def test_the_smallest_student_is_told_with_its_interval_on_test(done: Done) -> None:
    view, *_ = done
    best = view.pick("best")
    assert best.accuracy is not None
    words = answer_in_words(view, find(view, best.accuracy))
    assert "confirmed" in words
    low = find(view, 0.12)
    assert low.reached is not None
    if confirmed_as(view, low.reached) is None:
        assert f"nas-kd confirm {view.folder.root} --trial {low.reached.number}" in (
            answer_in_words(view, low)
        )


def test_what_belongs_to_one_study_is_refused_with_two(study: StudyView) -> None:
    mine = options_of(study.folder.root, 0)
    with pytest.raises(InvalidSpec, match="best against best"):
        against(mine, mine, replace(SHORT, front=True), lambda event: None)


def test_what_no_interval_can_be_had_of_is_refused_at_once() -> None:
    with pytest.raises(InvalidSpec) as error:
        Asked(seeds=1, epochs=0, baseline="net").expect_sound()
    for flag in ("--seeds", "--epochs", "--baseline"):
        assert flag in str(error.value)


def test_a_study_whose_twin_is_missing_has_not_ended(study: StudyView) -> None:
    facts = {name: fact for name, fact in study.facts.items() if name != "twin"}
    with pytest.raises(UnusableStudy, match="has not ended"):
        finalists(replace(study, facts=facts), front=False)


def test_students_without_a_teacher_are_confirmed_without_a_twin(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", alpha=0, trials=3, family="mlp")
    result, _ = run_confirm(view.folder.root)
    assert [one.role for one in result.students] == ["best", "largest mlp, alone"]
    assert result.distillation is None
    assert "alpha 0" in result.sentences[0]


@pytest.mark.parametrize("metric", ["agreement", "macro-f1", "balanced-accuracy", "top-5"])
def test_every_metric_is_confirmed(tmp_path: Path, metric: str) -> None:
    view = searched(tmp_path / "study", metric=metric, trials=3, family="mlp", alpha=[0.5, 1.0])
    result, events = run_confirm(view.folder.root)
    assert result.metric == metric
    rates = [e for e in events if isinstance(e, Trained) and "learning rate" in e.name]
    assert len(rates) == 3
    if metric == "agreement":
        answers = view.folder.root.glob("signals/*/answers.npy")
        said = np.load(next(answers))
        kept = [json.loads(p.read_text()) | {"answers": np.load(p.with_name("answers.npy"))[:, 0]}
                for p in view.folder.confirmed.glob("epochs-1/*/rate/outcome.json")]  # fmt: skip
        assert all(
            one["accuracy"] == pytest.approx((one["answers"] == said).mean()) for one in kept
        )
    for one in result.students:
        assert one.reached is not None
        known = [seed for seed in one.seeds if seed is not None]
        assert one.reached.mean == pytest.approx(np.mean(known))


def test_a_metric_without_parts_has_an_interval_over_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, "mine", Metric(METRICS["accuracy"].score))
    view = searched(tmp_path / "study", metric="mine", trials=3, family="mlp", alpha=[0.5, 1.0])
    result, _ = run_confirm(view.folder.root, replace(SHORT, seeds=3))
    one = result.students[0].reached
    assert one is not None
    assert one.low < one.mean < one.high
    assert verdict(view).subtitle


class Diverges(InProcess):
    """One seed of each student fails."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        job: Any = args[0] if args else None
        if isinstance(job, RungJob) and job.judged == job.data.test and self.bad(job):
            (member,) = job.members
            broken = replace(member, settings={**member.settings, "learning_rate": 1e30})
            changed: Any = (replace(job, members=(broken,)), *args[1:])
            return super().submit(fn, *changed, **kwargs)
        return super().submit(fn, *args, **kwargs)

    def bad(self, job: RungJob) -> bool:
        self.first = getattr(self, "first", job.order_seed)
        return job.order_seed == self.first


def test_seeds_that_fail_are_counted_and_the_others_are_compared(
    study: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = copied(study, tmp_path / "study")
    monkeypatch.setattr(confirming, "executor_of", lambda *_: Diverges())
    result, _ = run_confirm(view.folder.root, replace(SHORT, seeds=3))
    assert all(one.seeds[0] is None for one in result.students)
    assert all(one.behind for one in result.students[1:] if one.key != result.students[0].key)
    frame = controls(read_study(view.folder)).frame
    assert "1 of 3 seeds failed" in frame.state.tolist()
    package = export(read_study(view.folder), "best", tmp_path / "package")
    assert json.loads((package / "config.json").read_text())["confirmed"]["seed"] == 1


class Small(nn.Module):
    """A teacher that is given as an object."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def forward(self, examples: torch.Tensor) -> torch.Tensor:
        """Logits [B, 10]."""
        logits: torch.Tensor = self.body(examples)
        return logits


def fitted() -> Small:
    """A teacher that knows the digits a little."""
    from sklearn.linear_model import LogisticRegression

    X, y = load_digits(return_X_y=True)
    X = (X - 4.88) / 6.01
    line = LogisticRegression(max_iter=300).fit(X, y)
    teacher = Small()
    linear = teacher.body[1]
    assert isinstance(linear, nn.Linear)
    linear.weight.data = torch.tensor(line.coef_, dtype=torch.float32)
    linear.bias.data = torch.tensor(line.intercept_, dtype=torch.float32)
    return teacher


def test_a_teacher_that_was_given_from_python_is_not_scored_in_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = fitted()
    (name,) = give([teacher])
    view = searched(tmp_path / "study", teacher=name, trials=3, family="mlp", alpha=[0.5, 1.0])
    monkeypatch.delitem(GIVEN, name)
    result, events = run_confirm(view.folder.root)
    assert result.teachers == (None,)
    assert "given from Python" in texts(events)
    study = Study.open(view.folder.root)
    there = study.confirm(seeds=2, epochs=1, teacher=teacher, workers=0, quiet=True)
    assert there.teachers[0] is not None
    assert there.students == result.students


def test_data_without_a_test_split_cannot_be_confirmed(
    study: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas_kd.confirm import opening

    view = copied(study, tmp_path / "study")
    same = opening.same_data

    def without_test(*arguments: Any) -> Any:
        data = same(*arguments)
        return replace(data, test=(data.test[0], data.test[0]))

    monkeypatch.setattr(opening, "same_data", without_test)
    with pytest.raises(Unusable, match="has no test split"):
        run_confirm(view.folder.root)


def test_the_command_prints_the_table_and_the_verdict(
    study: StudyView, tmp_path: Path, run: Run
) -> None:
    copied(study, tmp_path / "study")
    done = run("confirm", "study", "--seeds", "2", "--epochs", "1", "--workers", "0")
    assert done.returncode == 0, done.stderr
    assert "best minus it" in done.stdout
    result = read_confirmation(tmp_path / "study" / "confirm.json")
    assert result is not None
    assert "nas-kd export study" in done.stdout
    assert run("export", "study").returncode == 0
    student = load_student(tmp_path / "study" / "best")
    pictures = torch.rand(3, 1, 8, 8) * 16
    names, shares = student.predict(pictures), student.predict_proba(pictures.numpy())
    assert shares.sum(-1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert names.tolist() == shares.argmax(-1).tolist()
    assert student.predict(pictures.tolist()).tolist() == names.tolist()
    student.classes = tuple("abcdefghij")
    assert student.predict(pictures).tolist() == ["abcdefghij"[n] for n in names]


def test_a_family_that_only_the_database_names_is_not_imported(
    study: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(str(tmp_path))
    view = copied(study, tmp_path / "study")
    ledger = Ledger.open(view.folder.database)
    twin = ledger.facts()["twin"]
    student = json.loads(twin["student"]) | {"family": "evil:net"}
    ledger.note("twin", twin | {"student": json.dumps(student)})
    with pytest.raises(UnusableStudy, match="evil:net, which its spec does not name"):
        run_confirm(view.folder.root)


def test_a_study_that_another_host_drives_is_not_confirmed(
    study: StudyView, tmp_path: Path
) -> None:
    view = copied(study, tmp_path / "study")
    held = {"holder": "process 1 on elsewhere", "until": time.time() + 3000}
    Ledger.open(view.folder.database).note("driver", held)
    with pytest.raises(StudyLocked, match="process 1 on elsewhere"):
        run_confirm(view.folder.root)


def test_an_earlier_confirm_is_kept_and_its_students_stay(study: StudyView, tmp_path: Path) -> None:
    view = copied(study, tmp_path / "study")
    run_confirm(view.folder.root, replace(SHORT, trials=("0",), front=True))
    again, _ = run_confirm(view.folder.root)
    roles = [one.role for one in again.students]
    assert {"knee", "smallest", "trial 0"} <= {*roles}
    assert read_confirmation(view.folder.confirmation) == again
    other, events = run_confirm(view.folder.root, replace(SHORT, epochs=2))
    assert other.student("knee") is None
    assert read_confirmation(view.folder.confirmed / "earlier-1-2.json") == again
    assert "is kept as confirm/earlier-1-2.json" in texts(events)


def test_a_metric_that_gives_no_share_is_a_fault_of_the_student(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = searched(tmp_path / "study", trials=3, family="mlp", alpha=[0.5, 1.0])

    def strange(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return METRICS["macro-f1"].score(logits, labels) * float("nan")

    monkeypatch.setitem(METRICS, "accuracy", Metric(strange))
    result, _ = run_confirm(view.folder.root)
    assert all(one.reached is None for one in result.students)
    again, _ = run_confirm(view.folder.root)
    assert again.students == result.students


@pytest.mark.parametrize("name", [":", "ours:lazy", "ours:leaves", "ours:bare", "broken:net"])
def test_a_baseline_that_cannot_be_trained_is_one_message(
    name: str, study: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ours.py").write_text(
        "import sys\nfrom torch import nn\n\n"
        "def lazy():\n    return nn.LSTM(3, 3)\n\n"
        "def leaves():\n    sys.exit(3)\n\n"
        "def bare():\n    return nn.Flatten()\n"
    )
    (tmp_path / "broken.py").write_text("def net(:\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "ours", raising=False)
    view = copied(study, tmp_path / "study")
    with pytest.raises(Unusable, match="--baseline"):
        run_confirm(view.folder.root, replace(SHORT, baseline=name))


def test_the_files_of_a_confirmed_student_that_are_gone_are_named(
    done: Done, tmp_path: Path
) -> None:
    view = copied(done[0], tmp_path / "study")
    run_confirm(view.folder.root)
    inputs = view.folder.confirmed / "inputs.safetensors"
    inputs.unlink()
    with pytest.raises(UnusableStudy, match=r"inputs\.safetensors: is missing"):
        export(view, "best", tmp_path / "package")
    inputs.write_bytes(b"")
    with pytest.raises(UnusableStudy, match="holds no proof"):
        export(view, "best", tmp_path / "package")


def test_data_that_were_moved_are_named_by_where_they_are_now(tmp_path: Path) -> None:
    X, y = load_digits(return_X_y=True)
    np.savez(tmp_path / "old.npz", X=X.reshape(-1, 8, 8), y=y)
    data = f"npz:{tmp_path / 'old.npz'}"
    view = searched(tmp_path / "study", data=data, trials=3, family="mlp", alpha=[0.5, 1.0])
    (tmp_path / "old.npz").rename(tmp_path / "new.npz")
    with pytest.raises(UnusableData, match=r"old\.npz"):
        run_confirm(view.folder.root)
    result, _ = run_confirm(view.folder.root, replace(SHORT, data=f"npz:{tmp_path / 'new.npz'}"))
    assert result.students[0].reached is not None
    np.savez(tmp_path / "other.npz", X=X.reshape(-1, 8, 8)[::-1], y=y[::-1])
    with pytest.raises(SpecDiffers, match="content"):
        run_confirm(view.folder.root, replace(SHORT, data=f"npz:{tmp_path / 'other.npz'}"))
