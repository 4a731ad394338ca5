"""Real small objects that many tests share."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch

from nas_kd.cli import main
from nas_kd.data import SOURCES
from nas_kd.data.source import Request
from nas_kd.data.transfer import TransferSet, prepare
from nas_kd.driver.drive import drive
from nas_kd.driver.jobs import train_students
from nas_kd.driver.options import RunOptions
from nas_kd.spec import StudySpec
from nas_kd.students.family import StudentConfig
from nas_kd.study.folder import StudyFolder
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView, read_study
from nas_kd.training import Member
from nas_kd.workers.in_process import InProcess

P = ParamSpec("P")
T = TypeVar("T")

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
"""Is added to the seed of the splits: what tests assert holds for any trained numbers."""

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


@pytest.fixture
def precise() -> Iterator[None]:
    """Networks are built, and examples normalised, in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session")
def digits(cache: Path) -> TransferSet:
    """scikit-learn's digits, prepared."""
    return prepare("digits", SOURCES["digits"], Request(Path()), SEED)


def tiny(**settings: Any) -> StudySpec:
    """The spec of a search of seconds, with some settings changed."""
    seeded = {"split_seed": settings.get("split_seed", 0) + SEED}
    return StudySpec.create(TINY | settings | seeded)


def searched(
    folder: Path, workers: int = 0, executor: Executor | None = None, **settings: Any
) -> StudyView:
    """Search and read the study."""
    weights, trust = settings.pop("teacher_weights", ()), settings.pop("trust", False)
    options = RunOptions(folder, workers, teacher_weights=weights, trust=trust)
    drive(tiny(**settings), options, lambda event: None, executor)
    return read_study(StudyFolder(folder))


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> StudyView:
    """A finished study; read only."""
    torch.manual_seed(0)
    return searched(tmp_path_factory.mktemp("studies") / "digits-2k", **TAUGHT)


def record(number: int = 0, **changes: Any) -> StudentRecord:
    """A student that nobody trained."""
    plain = StudentRecord(
        number,
        StudentConfig("cnn", (1, 8, 8), 10, 2, (3, 4)),
        {"knowledge": "kl", "temperature": 4.0, "alpha": 0.9, "learning_rate": 0.02},
        {"parameters": 100, "macs": 1000},
        fill=0.5,
        generation=0,
    )
    return replace(plain, **changes)


class Graded(InProcess):
    """Trains students for real, and gives them the accuracies that a test wants: of a member, at
    an epoch."""

    def __init__(self, grade: Callable[[Member, int], float]) -> None:
        super().__init__()
        self.grade = grade

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if fn is not train_students:
            return super().submit(fn, *args, **kwargs)
        members = {member.trial: member for member in args[0].members}
        graded: Future[Any] = Future()
        graded.set_result(tuple(
            tuple(replace(r, accuracy=self.grade(members[r.trial], r.epochs)) for r in rung)
            for rung in super().submit(fn, *args, **kwargs).result()
        ))  # fmt: skip
        return graded


def results(view: StudyView) -> list[tuple[Any, ...]]:
    """All that must be equal between two runs of one study."""
    return [
        (t.number, t.state, t.params, t.values, {k: v for k, v in t.user_attrs.items()
                                                 if k != "seconds"})
        for t in view.optuna.get_trials(deepcopy=False)
    ]  # fmt: skip


@dataclass
class Done:
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Run]:
    """Runs a command as its entry point does, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = signal.getsignal(signal.SIGTERM)

    def command(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["nas-kd", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return Done(int(ended.value.code or 0), captured.out, captured.err)

    yield command
    signal.signal(signal.SIGTERM, before)
