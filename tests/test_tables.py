"""A table from its file to a package that takes rows of it."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from nas_kd.api import Study
from nas_kd.errors import Unusable, UnusableData
from nas_kd.package.evaluate import evaluate
from nas_kd.package.load import load_student
from nas_kd.package.onnx import to_onnx
from nas_kd.package.write import export
from nas_kd.study.view import StudyView
from tests.conftest import searched
from tests.data.test_table import sorted_people


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file."""
    path = tmp_path_factory.mktemp("tables") / "people.csv"
    sorted_people().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def view(table: Path, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> StudyView:
    folder = tmp_path_factory.mktemp("studies") / "people"
    return searched(
        folder, data=f"csv:{table}", budget="400", group="family", epochs=12, alpha=[0.1, 1.0],
        teacher_epochs=30,
    )  # fmt: skip


def test_only_families_that_take_a_table_are_searched(view: StudyView) -> None:
    assert {row.config.family for row in view.rows} == {"mlp"}
    assert view.facts["families"] == ["mlp"]


def test_a_package_takes_the_rows_of_a_frame(view: StudyView, table: Path, tmp_path: Path) -> None:
    package = export(view, "best", tmp_path / "best")
    student = load_student(package)
    said = "- The data: left out, different words in more than half of the rows: ticket"
    assert said in (package / "card.md").read_text()
    frame = pd.read_csv(table)
    names = np.array(["a", "b", "c"])
    found = names[student(student.encode(frame)).argmax(1).numpy()]
    assert (found == frame["class"]).mean() > 0.7
    shuffled = frame.sample(frac=1, random_state=0)[frame.columns[::-1]]
    again = student(student.encode(shuffled))
    assert torch.equal(again, student(student.encode(frame.loc[shuffled.index])))
    with pytest.raises(UnusableData, match="has no column 'age'"):
        student.encode(frame.drop(columns="age"))


def test_a_package_is_scored_on_its_own_test_rows_and_on_another_file(
    view: StudyView, table: Path, tmp_path: Path
) -> None:
    package = export(view, "best", tmp_path / "best")
    mine = evaluate(package, None, tmp_path, "test")
    assert mine["examples"] == pytest.approx(80, abs=12)
    other = tmp_path / "other.csv"
    frame = pd.read_csv(table)
    frame.assign(port=frame["port"].replace("south", "west")).to_csv(other, index=False)
    theirs = evaluate(package, f"csv:{other}", tmp_path, "test")
    assert theirs["examples"] == len(frame)
    whole = evaluate(package, f"csv:{table}", tmp_path, "validation")
    assert whole["accuracy"] == pytest.approx(view.pick("best").accuracy)


def test_a_few_new_rows_of_nobodys_family_are_scored(
    view: StudyView, table: Path, tmp_path: Path
) -> None:
    package = export(view, "best", tmp_path / "best")
    pd.read_csv(table).drop(columns="family").head(3).to_csv(tmp_path / "few.csv", index=False)
    assert evaluate(package, f"csv:{tmp_path / 'few.csv'}", tmp_path, "test")["examples"] == 3


def test_a_file_that_was_moved_is_scored_on_its_test_rows_only(
    view: StudyView, table: Path, tmp_path: Path
) -> None:
    package = export(view, "best", tmp_path / "best")
    shutil.copy(table, tmp_path / "moved.csv")
    moved = evaluate(package, f"csv:{tmp_path / 'moved.csv'}", tmp_path, "test")
    mine = evaluate(package, None, tmp_path, "test")
    assert (moved["examples"], moved["accuracy"]) == (mine["examples"], mine["accuracy"])
    assert moved["split"] == "test"


def test_a_package_is_not_scored_on_a_table_of_other_columns_or_on_no_table(
    view: StudyView, table: Path, tmp_path: Path
) -> None:
    package = export(view, "best", tmp_path / "best")
    frame = pd.read_csv(table)
    for changed, wrong in (
        (frame.drop(columns="age"), "has no column 'age'"),
        (frame.assign(age="old"), "has 'old' in the column 'age'"),
    ):
        changed.to_csv(tmp_path / "other.csv", index=False)
        with pytest.raises(UnusableData, match=f"other.csv'?: {wrong}"):
            evaluate(package, f"csv:{tmp_path / 'other.csv'}", tmp_path, "test")
    with pytest.raises(Unusable, match="'digits': is no table"):
        evaluate(package, "digits", tmp_path, "test")


def test_the_report_and_onnx_of_a_table_are_made(view: StudyView, tmp_path: Path) -> None:
    study = Study.open(view.folder.root)
    assert f"mlp {view.pick('best').config.label()}" in study.report().read_text()
    package = study.export("best", tmp_path / "best", onnx=True)
    assert (package / "model.onnx").exists()


def test_signals_go_the_whole_way_in_every_convolutional_family(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(300) % 3
    waves = np.sin(np.arange(40) * (1 + labels[:, None]) / 3 + random.random((300, 1)) * 6)
    signals = (waves[:, :, None] + random.normal(size=(300, 40, 2)) / 3).astype(np.float32)
    np.savez(tmp_path / "waves.npz", X=signals, y=labels)
    view = searched(
        tmp_path / "study", data=f"npz:{tmp_path / 'waves.npz'}", views=3, teacher_epochs=8,
        family=["cnn", "resnet", "mobilenet"], budget=["2k", "8kB ram"], generation=12, trials=12,
        block=["basic", "bottleneck"], epochs=3, alpha=[0.1, 1.0],
    )  # fmt: skip
    assert {row.config.input_shape for row in view.rows} == {(2, 40)}
    assert {row.config.family for row in view.rows} == {"cnn", "resnet", "mobilenet"}
    study = Study.open(view.folder.root)
    assert study.trials()["ram"].max() <= 8_000
    for number in (1, 2):
        package = study.export(str(number), tmp_path / str(number), onnx=True)
        student = load_student(package)
        assert torch.equal(student(signals[:5]), student(signals[:5].transpose(0, 2, 1)))
        with pytest.raises(UnusableData, match="not searched on a table"):
            student.encode(pd.DataFrame({"x": [1]}))


@pytest.mark.parametrize(
    "options", [{"mobile": "inverted", "squeeze_excite": True}, {"squeeze_excite": True}]
)
def test_mobile_students_leave_as_onnx(tmp_path: Path, options: dict[str, object]) -> None:
    view = searched(tmp_path / "study", family="mobilenet", trials=1, depth=3, **options)
    assert view.rows[0].config.options == options
    export(view, "0", tmp_path / "best")
    assert to_onnx(tmp_path / "best").exists()
