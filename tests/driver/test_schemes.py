"""Studies in which no fixed teacher teaches."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nas_kd.api import Study
from nas_kd.cli import app
from nas_kd.errors import Unusable
from nas_kd.package.load import load_student
from nas_kd.report.page import page
from nas_kd.report.summary import lines_of
from nas_kd.study.view import StudyView
from tests.conftest import TAUGHT, searched

SCHEMES = {
    "online": {"scheme": "online"},
    "co_teacher": {"scheme": "online", "co_teacher": "resnet"},
    "self": {"scheme": "self", "epochs": 4},
    "exits": {"scheme": "exits"},
}


@pytest.fixture(scope="module", params=SCHEMES)
def study(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> StudyView:
    """A study of each scheme, with two workers; read only."""
    folder = tmp_path_factory.mktemp(request.param) / "study"
    return searched(folder, workers=2, **TAUGHT, **SCHEMES[request.param])


def test_two_studies_without_a_teacher_are_compared(study: StudyView, tmp_path: Path) -> None:
    one = Study.open(study.folder.root)
    other = Study.open(Path(shutil.copytree(study.folder.root, tmp_path / "other")))
    found = one.against(other, seeds=2, epochs=2, workers=0, quiet=True)
    assert found.teachers == (None, None)


def test_no_teacher_is_trained_and_the_students_learn(study: StudyView) -> None:
    assert study.teachers == ()
    assert not study.folder.teacher.exists()
    assert not (study.folder.root / "signals").exists()
    assert study.spec.teaching in (study.folder.root / "search.log").read_text()
    assert study.spec.teaching.split(";")[0] in page(study)
    best = study.best_taught
    assert best is not None
    assert (best.accuracy or 0) > 0.3
    assert "teacher" not in [line.name for line in lines_of(study)]


def test_two_workers_give_what_one_process_gives(study: StudyView, tmp_path: Path) -> None:
    again = searched(tmp_path / "study", **TAUGHT, **SCHEMES[study.spec.scheme])
    assert [row.accuracy for row in again.rows] == [row.accuracy for row in study.rows]
    for row in again.rows:
        places = [
            view.folder.student(row.number) / "weights.safetensors" for view in (again, study)
        ]
        assert places[0].read_bytes() == places[1].read_bytes()


def test_what_leaves_is_the_student_alone(study: StudyView, tmp_path: Path) -> None:
    row = study.best_taught
    assert row is not None
    package = Study.open(study.folder.root).export(str(row.number), to=tmp_path / "package")
    student = load_student(Path(package))
    assert sum(value.numel() for value in student.parameters()) == row.costs["parameters"]
    facts = json.loads((tmp_path / "package" / "config.json").read_text())
    assert (facts["teacher"], facts["scheme"]) == (None, study.spec.scheme)
    card = " ".join((tmp_path / "package" / "card.md").read_text().split())
    assert f"It was trained by the scheme {study.spec.scheme}. {study.spec.teaching}" in card
    assert "distillation from" not in card


def test_it_can_be_reported_listed_confirmed_and_evaluated(
    study: StudyView, tmp_path: Path
) -> None:
    folder = str(study.folder.root)
    for command in (["report", folder], ["trials", folder], ["check", folder],
                    ["confirm", folder, "--seeds", "2", "--epochs", "4", "--workers", "0"],
                    ["export", folder, "--to", str(tmp_path / "package")],
                    ["evaluate", str(tmp_path / "package")]):  # fmt: skip
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, (command, done.output, done.exception)


def test_a_teacher_that_is_named_is_shown_and_does_not_teach(tmp_path: Path) -> None:
    plain = searched(tmp_path / "plain", trials=4, scheme="exits")
    named = searched(tmp_path / "named", trials=4, scheme="exits", teacher="train")
    assert [one["target"] for one in named.teachers] == ["train"]
    assert [row.accuracy for row in named.rows] == [row.accuracy for row in plain.rows]


def test_rungs_of_a_student_in_rounds_lie_in_the_last_round(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", scheme="self", epochs=10, trials=4, rungs=None)
    assert view.rungs == (6, 7, 8)


def test_a_confirm_has_an_epoch_for_each_round(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", trials=2, generation=2, scheme="self", epochs=2)
    with pytest.raises(Unusable, match=r"--epochs 1: is less than one for each round"):
        Study.open(view.folder.root).confirm(epochs=1, seeds=2, workers=0)


def test_a_random_search_beside_a_study_without_a_teacher(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", trials=8, scheme="exits", **TAUGHT)
    found = Study.open(view.folder.root).confirm(seeds=2, epochs=2, workers=0, random=True)
    assert found is not None


def test_students_without_a_stage_for_an_exit_are_not_searched(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", scheme="exits", depth=[1, 3])
    assert min(row.config.depth for row in view.rows) == 2
    with pytest.raises(Unusable, match="exits need a stage before the last, and the family mlp"):
        searched(tmp_path / "other", scheme="exits", family="mlp", depth=1)


def test_a_co_teacher_is_said_and_lies_within_8_budgets(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", trials=2, generation=2, **SCHEMES["co_teacher"])
    log = (view.folder.root / "search.log").read_text()
    assert "beside every student: resnet" in log
    config = json.loads(view.facts["co_teacher"])
    assert config["family"] == "resnet"
    assert all(row.config.family in ("cnn", "mlp") for row in view.rows)
