"""nas-kd from Python."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import nas_kd
from nas_kd.api import source_text
from nas_kd.data import source_of
from nas_kd.data.source import Request
from nas_kd.driver.options import default_folder
from nas_kd.package.config import read_config
from nas_kd.spec import StudySpec
from nas_kd.study.view import StudyView
from tests.conftest import TINY


def test_a_study_is_read_as_frames_and_figures(study: StudyView) -> None:
    opened = nas_kd.Study.open(study.folder.root)
    trials, front = opened.trials(), opened.front()
    assert len(trials) == 8
    assert {"number", "accuracy", "cost", "family", "channels", "alpha", "macs"} <= set(trials)
    assert front["cost"].is_monotonic_increasing
    assert front["accuracy"].is_monotonic_increasing
    assert opened.best.number in set(front["number"])
    names = [trace.name for trace in opened.figure("pareto").data]
    assert names[:3] == ["cnn", "mlp", "front"]
    assert opened.figure("history").data
    assert opened.figure("rungs").data
    assert trials["rungs"][0].startswith("2:0.")
    with pytest.raises(ValueError, match="'pareto', 'history' or 'rungs'"):
        opened.figure("parreto")


def test_a_search_from_python_gives_a_student(tmp_path: Path) -> None:
    settings = TINY | {"trials": 4}
    study = nas_kd.search(study=tmp_path / "study", workers=0, quiet=True, **settings)
    student = study.student()
    assert student(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert study.report().exists()
    assert study.spec.trials == 4
    assert study.summary().sentence
    first = study.best.number
    more = nas_kd.search(
        study=tmp_path / "study", workers=0, quiet=True, **settings | {"trials": 12}
    )
    more.student()
    kept = {read_config(path.parent)["trial"] for path in tmp_path.glob("study/*/card.md")}
    assert kept == {first, more.best.number}


def test_on_trial_is_called_with_each_trial_once_it_is_told(tmp_path: Path) -> None:
    told: list[Any] = []
    settings = TINY | {"trials": 6, "rungs": [1]}
    folder = tmp_path / "study"
    study = nas_kd.search(study=folder, workers=0, quiet=True, on_trial=told.append, **settings)
    stored = study._view.rows
    assert told == list(stored)
    with pytest.raises(AttributeError):
        told[0].accuracy = 1.0

    def tired(record: Any) -> None:
        raise ValueError("mine")

    more = settings | {"trials": 10}
    with pytest.raises(ValueError, match="mine"):
        nas_kd.search(study=folder, workers=0, quiet=True, on_trial=tired, **more)
    done = nas_kd.search(study=folder, workers=0, quiet=True, **more)
    assert all(row.finished for row in done._view.rows)
    assert len(done._view.rows) == 10


@pytest.mark.parametrize(
    ("wrapped", "folder"),
    [
        (lambda x, y: (x, y), "runs/data-2k"),
        (lambda x, y: {"train": (x, y)}, "runs/data-2k"),
        (lambda x, y: TensorDataset(torch.from_numpy(x), torch.from_numpy(y)),
         "runs/TensorDataset-2k"),
    ],
)  # fmt: skip
def test_a_study_of_objects_is_called_by_what_they_are(wrapped: Any, folder: str) -> None:
    data = wrapped(np.zeros((40, 8, 8), np.uint8), np.arange(40) % 2)
    spec = StudySpec.create({"budget": "2k", "data": source_text(data)})
    assert default_folder(spec) == Path(folder)


@pytest.mark.parametrize(
    ("layout", "expected"), [("auto", (6, 128)), ("pictures", (1, 128, 6)), ("table", (768,))]
)
def test_arrays_are_read_as_they_are_said_to_be(
    layout: str, expected: tuple[int, ...], tmp_path: Path
) -> None:
    data = (np.zeros((40, 128, 6), np.float32), np.arange(40) % 2)
    source = source_of(source_text(data, layout))
    raw = source.load(Request(tmp_path, layout=layout))
    assert raw.train.examples_NX.shape == (40, *expected)
