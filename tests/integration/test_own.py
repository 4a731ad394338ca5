"""Own data and own teachers, from files to an exported student that is scored on new files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import nas_kd
from nas_kd.api import Study
from nas_kd.errors import Unusable, UnusableTeacher
from nas_kd.package.evaluate import evaluate
from nas_kd.study.view import StudyView
from nas_kd.teachers.network import wide
from tests.data.test_imagefolder import folder

SMALL: dict[str, Any] = {
    "budget": "2k", "trials": 3, "epochs": 4, "batch": 16, "teacher_epochs": 4,
    "teacher_width": 4, "workers": 0, "quiet": True, "depth": (1, 3),
}  # fmt: skip


def faces(count: int, seed: int = 0) -> tuple[Any, Any]:
    """Pictures [N, 8, 8] of three classes that are easy to tell."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = random.integers(0, 60, (count, 8, 8)) + 80 * labels[:, None, None]
    return images.astype(np.uint8), labels


def functions_dataset() -> Any:
    """For `module:function`: two torch Datasets."""
    sets = (faces(240), faces(60, seed=1))
    train, test = (TensorDataset(torch.tensor(x)[:, None], torch.tensor(y)) for x, y in sets)
    return train, test


def test_a_folder_of_mixed_pictures_becomes_a_student(tmp_path: Path) -> None:
    study = nas_kd.search(
        data=f"imagefolder:{folder(tmp_path / 'pictures', 60)}", image_size=8,
        study=tmp_path / "study", **SMALL,
    )  # fmt: skip
    package = study.export()
    new = folder(tmp_path / "new", 9, modes=("L", "P", "RGBA"))
    result = evaluate(package, f"imagefolder:{new}", Path(), "test")
    assert result["examples"] == 18
    assert result["accuracy"] > 0.8
    facts = json.loads((package / "config.json").read_text())
    assert facts["classes"] == ["dark", "light"]
    other = folder(tmp_path / "other")
    (other / "dark").rename(other / "blue")
    with pytest.raises(Unusable, match="classes blue, light"):
        evaluate(package, f"imagefolder:{other}", Path(), "test")


def test_a_folder_may_move_between_two_searches(tmp_path: Path) -> None:
    first, second = tmp_path / "here", tmp_path / "there"
    folder(first, 60)
    common = SMALL | {"study": tmp_path / "study", "image_size": 8}
    nas_kd.search(data=f"imagefolder:{first}", **common)
    first.rename(second)
    study = nas_kd.search(data=f"imagefolder:{second}", **common | {"trials": 4})
    assert len(study.trials()) == 4


def test_an_npz_becomes_a_student(tmp_path: Path) -> None:
    x, y = faces(240)
    np.savez(tmp_path / "faces.npz", X=x, y=y)
    study = nas_kd.search(data=f"npz:{tmp_path / 'faces.npz'}", study=tmp_path / "study", **SMALL)
    x, y = faces(30, seed=2)
    np.savez(tmp_path / "new.npz", X=x, y=y)
    result = evaluate(study.export(), f"npz:{tmp_path / 'new.npz'}", Path(), "test")
    assert (result["examples"], result["accuracy"] > 0.8) == (30, True)


def test_a_function_that_returns_datasets_becomes_a_student(tmp_path: Path) -> None:
    target = "tests.integration.test_own:functions_dataset"
    study = nas_kd.search(data=target, study=tmp_path / "study", **SMALL)
    package = study.export()
    with pytest.raises(Unusable, match=f"data {target}"):
        evaluate(package, None, Path(), "test")
    assert evaluate(package, target, Path(), "test")["examples"] == 60
    assert evaluate(package, None, Path(), "test", trust=True)["examples"] == 60


def test_arrays_and_a_module_from_python_become_a_student(study: StudyView, tmp_path: Path) -> None:
    from safetensors.torch import load_file
    from sklearn.datasets import load_digits

    digits = load_digits()
    teacher = wide((1, 8, 8), 10, 8)
    teacher.load_state_dict(load_file(study.folder.teacher / "weights.safetensors"))
    common = SMALL | {"data": (digits.images.astype(np.uint8), digits.target),
                      "study": tmp_path / "study"}  # fmt: skip
    threads = torch.get_num_threads()
    found = nas_kd.search(teacher=teacher, **common | {"workers": 1})
    assert torch.get_num_threads() == threads
    assert found.summary().lines[0].accuracy == pytest.approx(
        study.teachers[0]["accuracy"], abs=0.05
    )
    assert teacher.training
    more = nas_kd.search(teacher=teacher, **common | {"trials": 4})
    assert len(more.trials()) == 4
    with pytest.raises(UnusableTeacher, match="is at chance"):
        nas_kd.search(teacher=wide((1, 8, 8), 10, 4), **common | {"study": tmp_path / "other"})


class TwoHeads(nn.Module):
    """A teacher whose answer is a dict of probabilities and more."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.network(images)
        return {"probabilities": logits.softmax(-1), "features": images.flatten(1)}


def test_a_teacher_of_probabilities_in_a_dict_teaches_and_it_is_said(
    study: StudyView, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    inner = wide((1, 8, 8), 10, 8)
    inner.load_state_dict(load_file(study.folder.teacher / "weights.safetensors"))
    found = nas_kd.search(data="digits", teacher=TwoHeads(inner), study=tmp_path / "study", **SMALL)
    log = (tmp_path / "study" / "search.log").read_text()
    assert "its outputs are probabilities" in log
    assert found.best.accuracy


def test_a_torchvision_teacher_is_taken_with_its_weights(tmp_path: Path) -> None:
    from torchvision.models import shufflenet_v2_x0_5

    torch.save({"state_dict": shufflenet_v2_x0_5(num_classes=10).state_dict()},
               tmp_path / "net.ckpt")  # fmt: skip
    common = SMALL | {"data": "digits", "study": tmp_path / "study"}
    with pytest.raises(UnusableTeacher, match="at chance"):
        nas_kd.search(teacher="torchvision:shufflenet_v2_x0_5",
                      teacher_weights=tmp_path / "net.ckpt", teacher_size=32, **common)  # fmt: skip
    with pytest.raises(UnusableTeacher, match="You may have meant: resnet18"):
        nas_kd.search(teacher="torchvision:resnt18", **common)
    with pytest.raises(UnusableTeacher, match="--teacher-weights"):
        nas_kd.search(teacher="torchvision:resnet18", **common)


def test_a_study_is_read_in_another_process(study: StudyView) -> None:
    assert len(Study.open(study.folder.root).trials()) == 8
