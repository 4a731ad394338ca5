"""Real small objects that many tests share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch

from nas_kd.data import SOURCES
from nas_kd.data.source import Request
from nas_kd.data.transfer import TransferSet, prepare
from nas_kd.driver.drive import drive
from nas_kd.driver.options import RunOptions
from nas_kd.spec import StudySpec
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import StudyView, read_study

TINY: dict[str, Any] = {
    "budget": "2k",
    "data": "digits",
    "trials": 8,
    "generation": 4,
    "epochs": 2,
    "rungs": [],
    "teacher_epochs": 3,
    "teacher_width": 8,
    "depth": [1, 3],
}
"""A search of seconds."""


SEED = int(os.environ.get("NAS_KD_TEST_SEED", "0"))
"""Is added to the seed of every search here: what tests assert holds for any trained numbers."""

TAUGHT = {"alpha": [0.1, 1.0], "batch": 32}
"""So that the best student has a teacher, and a twin without."""


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Prepared data go to a folder of this test run."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("NAS_KD_CACHE")
    os.environ["NAS_KD_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["NAS_KD_CACHE"]
    else:
        os.environ["NAS_KD_CACHE"] = before


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test draws the same numbers, on one thread."""
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits(cache: Path) -> TransferSet:
    """scikit-learn's digits, prepared."""
    return prepare("digits", SOURCES["digits"], Request(Path()))


def tiny(**settings: Any) -> StudySpec:
    """The spec of a search of seconds, with some settings changed."""
    seeded = {"seed": settings.get("seed", 0) + SEED}
    return StudySpec.create(TINY | settings | seeded)


def searched(folder: Path, workers: int = 0, **settings: Any) -> StudyView:
    """Search and read the study."""
    options = RunOptions(folder, workers, teacher_weights=settings.pop("teacher_weights", None))
    drive(tiny(**settings), options, lambda event: None)
    return read_study(StudyFolder(folder))


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> StudyView:
    """A finished study; read only."""
    torch.manual_seed(0)
    return searched(tmp_path_factory.mktemp("studies") / "digits-2k", **TAUGHT)


def results(view: StudyView) -> list[tuple[Any, ...]]:
    """All that must be equal between two runs of one study."""
    return [
        (t.number, t.state, t.params, t.values, {k: v for k, v in t.user_attrs.items()
                                                 if k != "seconds"})
        for t in view.optuna.get_trials(deepcopy=False)
    ]  # fmt: skip
