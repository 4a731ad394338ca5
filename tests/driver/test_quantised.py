"""Searches whose students have 8 bits."""

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nas_kd.package.write import Also, export
from nas_kd.students.family import StudentConfig
from nas_kd.study.view import StudyView
from tests.conftest import results, searched

MODULE = """
import torch
from torch import nn

def net():
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU(),
        nn.Conv2d(12, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A teacher of the user's whose weights know digits: its name, for a family too."""
    (tmp_path / "quantised_net.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "quantised_net:net"


def weights_of(view: StudyView, name: str, folder: Path) -> Path:
    """The weights of this network, trained for a few epochs, in a file."""
    module, _, function = name.partition(":")
    __import__(module)
    network: nn.Module = getattr(sys.modules[module], function)()
    data = view.folder.read_data()
    rows = slice(*data.train)
    examples = torch.tensor(data.examples.open()[rows]).float()
    labels = torch.tensor(data.labels.open()[rows])
    inputs: Tensor = (examples - data.mean[0]) / data.std[0]
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
    torch.save(network.state_dict(), folder / "mine.pt")
    return folder / "mine.pt"


def test_the_teacher_itself_is_a_student_of_8_bits_that_starts_from_its_weights(
    study: StudyView, mine: str, tmp_path: Path
) -> None:
    weights = weights_of(study, mine, tmp_path)
    said = {"teacher": mine, "family": [mine], "budget": "10kB", "depth": 1, "trials": 5,
            "batch": 32, "epochs": 1}  # fmt: skip
    view = searched(tmp_path / "study", trust=True, teacher_weights=(weights,), **said)
    (whole,) = (row for row in view.rows if row.config.options.get("weights") == "teacher")
    assert whole.number == 2
    assert whole.config.channels == (16,)
    assert whole.config.bits == 8
    assert (whole.accuracy or 0) > 0.8
    others = [row.accuracy or 0 for row in view.rows if row is not whole]
    assert (whole.accuracy or 0) > max(others)
    assert "weights teacher, 8 bits" in whole.config.name()
    twin = view.facts["twin"]
    assert twin["trial"] == whole.number
    assert not StudentConfig.from_json(twin["student"]).starts_as_teacher
    assert twin["accuracy"] < (whole.accuracy or 0)
    package = export(view, str(whole.number), tmp_path / "whole", trust=True, also=Also(c=True))
    assert (package / "c" / "student.c").exists()


def test_a_teacher_that_does_not_fit_is_of_32_bits_or_normalises_otherwise_is_no_student(
    study: StudyView, mine: str, tmp_path: Path
) -> None:
    weights = weights_of(study, mine, tmp_path)
    data = study.folder.read_data()
    own = {"budget": "10kB", "teacher_mean": (data.mean[0] / 255,),
           "teacher_std": (data.std[0] / 255,)}  # fmt: skip
    for number, said in enumerate(({"budget": "1kB"}, {"budget": "10k"}, own)):
        view = searched(
            tmp_path / str(number),
            trust=True,
            teacher_weights=(weights,),
            teacher=mine,
            family=[mine],
            depth=1,
            trials=3,
            epochs=1,
            **said,
        )
        assert not any(row.config.starts_as_teacher for row in view.rows)


@pytest.mark.parametrize("qat", [False, True])
def test_a_search_in_8_bits_is_the_same_for_any_number_of_workers(
    qat: bool, tmp_path: Path
) -> None:
    said = {"budget": "2kB", "trials": 6, "rungs": [1], "qat": qat, "epochs": 2}
    one = searched(tmp_path / "one", **said)
    two = searched(tmp_path / "two", workers=2, **said)
    assert results(one) == results(two)
    assert all(row.config.bits == 8 for row in one.rows)


def test_both_bits_are_trials_of_one_study(tmp_path: Path) -> None:
    view = searched(tmp_path / "both", budget="4kB", bits=[8, 32], trials=12, generation=12)
    assert {row.config.bits for row in view.rows} == {8, 32}
    assert {row.settings["bits"] for row in view.rows} == {8, 32}
    assert all(row.costs["bytes"] <= 4000 for row in view.rows)
