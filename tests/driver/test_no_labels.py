"""A study without any labels: what is measured is agreement with the teacher, and named so."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nas_kd.api import Study
from nas_kd.confirm.confirmation import read_confirmation
from nas_kd.report.cards import cards
from nas_kd.report.page import page
from nas_kd.report.summary import summarize
from nas_kd.study.view import StudyView
from tests.conftest import Run, searched

TEACHER = "tests.teachers.own:fitted"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> StudyView:
    """A finished study of the digits without labels."""
    place = tmp_path_factory.mktemp("bare")
    pictures, _ = load_digits(return_X_y=True)
    np.savez(place / "digits.npz", X=pictures.reshape(-1, 8, 8).astype(np.float32))
    settings: dict[str, Any] = {"data": f"npz:{place}/digits.npz", "teacher_classes": 10}
    return searched(place / "study", teacher=TEACHER, trials=6, batch=32, epochs=4, **settings)


def test_every_student_learns_from_the_teacher_alone(bare: StudyView) -> None:
    assert {row.settings["alpha"] for row in bare.rows} == {1.0}
    assert bare.spec.metric == "agreement"
    assert bare.pick("best").accuracy is not None
    assert bare.pick("best").accuracy > 0.5  # type: ignore[operator]
    assert "twin" not in bare.facts
    assert not [name for name in bare.facts if name.startswith("largest")]
    assert bare.teachers[0]["accuracy"] is None


def test_what_is_measured_is_named_so_everywhere(bare: StudyView) -> None:
    assert bare.metric == "agreement with the teacher"
    text = summarize(bare).sentence
    assert "There are no labels" in text
    assert "Every student was trained without" not in text
    controls = cards(bare)[1]
    assert "Agreement with the teacher on" in controls.subtitle
    assert "trained without the teacher" not in controls.subtitle
    html = page(bare)
    assert "agreement with the teacher" in html
    assert "accuracy, %" not in html
    assert bare.optuna.metric_names == ["validation agreement with the teacher", "parameters"]


def test_its_student_is_exported_and_scored_by_agreement(
    bare: StudyView, run: Run, tmp_path: Path
) -> None:
    package = bare.folder.root / "best"
    if not package.exists():
        Study(bare).export("best", package, trust=True)
    card = (package / "card.md").read_text()
    assert "validation agreement with the teacher" in card
    assert "so that agreement with the teacher leans upward" in card
    done = run("evaluate", str(package), "--trust")
    assert done.returncode == 0, done.stderr
    assert "% agreement with the teacher of" in done.stdout
    assert "% agreement with the teacher of" in (package / "card.md").read_text()
    without = run("evaluate", str(package))
    assert without.returncode == 2
    assert "has no labels, and the teacher is not asked" in without.stderr


def test_it_is_confirmed_without_controls_that_need_labels(bare: StudyView, run: Run) -> None:
    done = run("confirm", str(bare.folder.root), "--seeds", "2", "--epochs", "3", "--trust",
               "--workers", "0", "--quiet")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "There are no labels" in done.stdout.replace("\n", " ")
    found = read_confirmation(bare.folder.confirmation)
    assert found is not None
    assert found.metric == "agreement"
    assert not [one for one in found.students if "alone" in one.role]


def test_a_study_without_labels_says_what_it_needs(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n" + "1,2\n3,4\n" * 30)
    done = run("search", "--budget", "2k", "--data", "csv:rows.csv", "--workers", "0")
    assert done.returncode == 2
    assert "Without labels, a teacher of yours says them: --teacher-classes NUMBER" in done.stderr
    done = run("search", "--budget", "2k", "--data", "csv:rows.csv", "--teacher-classes", "a,b",
               "--dry-run", "--teacher", "mine:net")  # fmt: skip
    assert 'teacher_classes = ["a", "b"]' in done.stdout
    assert "alpha = 1.0" in done.stdout
    assert 'metric = "agreement"' in done.stdout


def test_the_trials_are_listed_with_their_agreement(bare: StudyView, run: Run) -> None:
    done = run("trials", str(bare.folder.root), "--format", "json")
    assert len(json.loads(done.stdout)) == 6
