"""The real MNIST: 60,000 images through the whole line, at a size that tests can afford."""

import json
from pathlib import Path

import pytest

from nas_kd.driver.drive import drive
from nas_kd.driver.options import RunOptions
from nas_kd.report.summary import summarize
from nas_kd.spec import StudySpec
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import read_study

SHARED = Path(__file__).parents[3] / "shared" / "data"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.exists(), reason=f"needs MNIST's files in {SHARED}"),
]


def test_mnist_is_searched_with_one_pass_of_the_teacher(tmp_path: Path) -> None:
    spec = StudySpec.create(
        {"budget": "5k", "data": "mnist", "trials": 3, "epochs": 1, "teacher_epochs": 1,
         "teacher_width": 8, "family": "cnn"}
    )  # fmt: skip
    drive(spec, RunOptions(tmp_path / "study", 2, data_root=SHARED), lambda event: None)
    view = read_study(StudyFolder(tmp_path / "study"))
    assert len(view.points) == 3
    assert (view.pick("best").accuracy or 0) > 0.95
    assert summarize(view).sentence
    (meta,) = (tmp_path / "study").glob("signals/*/meta.json")
    facts = json.loads(meta.read_text())
    assert facts["logits_VNC"]["shape"] == [1, 54_000, 10]
    assert facts["answers_N"]["shape"] == [6_000]
    assert facts["passes"] == 1
