"""Students as ONNX, proved."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_kd.errors import Unusable, UnusablePackage
from nas_kd.package.onnx import needed, note, to_onnx
from nas_kd.package.write import export, load_student
from nas_kd.study.view import StudyView


def test_a_model_gives_pytorchs_logits_for_any_number_of_examples(
    study: StudyView, tmp_path: Path
) -> None:
    import onnxruntime
    import torch

    package = export(study, "best", tmp_path / "best")
    session = onnxruntime.InferenceSession(str(to_onnx(package)))
    images = torch.randint(0, 17, (7, 1, 8, 8)).float()
    (logits,) = session.run(None, {"examples": images.numpy()})
    with torch.inference_mode():
        expected = load_student(package)(images).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    facts = json.loads((package / "config.json").read_text())
    assert facts["onnx"]["examples"] == 64
    assert facts["onnx"]["difference"] < 1e-3


def test_a_model_that_differs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusablePackage, match="differ by 1"):
        note(tmp_path, "onnx", "model.onnx", np.ones((2, 3)), np.zeros((2, 3)))


def test_a_missing_extra_names_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unusable, match=r"pip install 'nas-kd\[onnx\]'"):
        needed("no_such_package_of_onnx")


def test_the_command_writes_it_too(study: StudyView, tmp_path: Path) -> None:
    from nas_kd.api import Study

    package: Any = Study.open(study.folder.root).export("0", tmp_path / "zero", onnx=True)
    assert (package / "model.onnx").exists()
