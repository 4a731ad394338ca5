"""Records that are kept as JSON, read back: what somebody else wrote there is named."""

import json
from pathlib import Path

import pytest

from nas_kd.data.transfer import TransferSet
from nas_kd.driver.data_stage import same_data
from nas_kd.driver.options import RunOptions
from nas_kd.driver.signals_stage import stored_signals
from nas_kd.driver.teacher_folder import all_ready
from nas_kd.errors import Unusable
from nas_kd.package.load import load_student
from nas_kd.package.write import export
from nas_kd.students.family import StudentConfig
from nas_kd.study.folder import StudyFolder
from nas_kd.study.looks import read_looks
from nas_kd.study.view import StudyView
from tests.conftest import tiny

WRONG = ["", "{", "{}", "[]", "3", "null", '"words"', '{"schema": 99}', "[{}]", "\udc80"]


def spoil(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("text", WRONG)
def test_a_package_with_another_config_is_named(
    text: str, study: StudyView, tmp_path: Path
) -> None:
    package = export(study, "best", tmp_path / "best")
    spoil(package / "config.json", text)
    with pytest.raises(Unusable, match="Export it again"):
        load_student(package)


@pytest.mark.parametrize(
    ("where", "other"),
    [(("student",), {}), (("input", "mean"), "x"), (("counts",), []), (("budgets",), [1]),
     (("data",), {"name": 1}), (("classes",), 3), (("input", "columns"), [{"name": "x"}])],
)  # fmt: skip
def test_each_part_of_a_config_is_looked_at(
    where: tuple[str, ...], other: object, study: StudyView, tmp_path: Path
) -> None:
    package = export(study, "best", tmp_path / "best")
    facts = json.loads((package / "config.json").read_text())
    inner = facts
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = other
    (package / "config.json").write_text(json.dumps(facts))
    with pytest.raises(
        Unusable, match=r"config\.json: is not what nas-kd writes there \(" + where[0]
    ):
        load_student(package)


def test_counts_that_lack_a_budgets_cost_are_named(study: StudyView, tmp_path: Path) -> None:
    package = export(study, "best", tmp_path / "best")
    facts = json.loads((package / "config.json").read_text())
    del facts["counts"]["parameters"]
    (package / "config.json").write_text(json.dumps(facts))
    with pytest.raises(Unusable, match="counts has no parameters"):
        load_student(package)


@pytest.mark.parametrize("text", [text for text in WRONG if text != "[]"])
def test_looks_that_are_none_are_named(text: str, tmp_path: Path) -> None:
    spoil(tmp_path / "evaluations.json", text)
    with pytest.raises(Unusable, match="Bring the file back"):
        read_looks(tmp_path)


@pytest.mark.parametrize("text", WRONG)
def test_data_of_a_study_that_are_none_are_named(
    text: str, study: StudyView, tmp_path: Path
) -> None:
    folder = StudyFolder(tmp_path)
    folder.spec.write_text(study.folder.spec.read_text())
    spoil(folder.data, text)
    with pytest.raises(Unusable, match=r"data\.json: is not what nas-kd writes there"):
        same_data(tiny(), RunOptions(tmp_path, 0), folder, lambda text: None)


@pytest.mark.parametrize("text", WRONG)
def test_a_teachers_facts_that_are_none_are_named(text: str, tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    folder.teacher.mkdir()
    spoil(folder.teacher / "config.json", text)
    with pytest.raises(Unusable, match="Bring the study's folder teacher/ back"):
        all_ready(folder, 1)


@pytest.mark.parametrize("text", WRONG)
def test_signals_that_are_none_are_named(text: str, tmp_path: Path) -> None:
    spoil(tmp_path / "meta.json", text)
    with pytest.raises(Unusable, match="Delete the study's folder signals/"):
        stored_signals(tmp_path)


@pytest.mark.parametrize("text", WRONG)
def test_a_prepared_copy_that_is_none_is_prepared_again(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011, what is wrong is for nobody to read
        TransferSet.from_json(text)


@pytest.mark.parametrize("text", WRONG)
def test_a_students_config_that_is_none_is_named(text: str) -> None:
    with pytest.raises(Unusable, match="a student's config"):
        StudentConfig.from_json(text)
