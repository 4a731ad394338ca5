"""A confirm is killed at any moment and run again: the same result, and each student and seed was
scored on the test split once."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nas_kd.confirm.confirmation import Confirmation, read_confirmation
from nas_kd.study.looks import scores_of_confirms
from nas_kd.study.view import StudyView
from tests.integration.test_kill import ROOT, left

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


def confirm(folder: Path, *arguments: str) -> int:
    """Runs a confirm to its end, or to where it is killed."""
    command = [sys.executable, "-m", "tests.integration.confirm", str(folder), *arguments]
    mine = {"STUDY_OF_TEST": str(folder)}
    return subprocess.run(command, cwd=ROOT, env=os.environ | mine, check=False).returncode


def copied(study: StudyView, to: Path) -> Path:
    """The study of the tests, not confirmed."""
    shutil.copytree(study.folder.root, to, ignore=shutil.ignore_patterns("confirm*", "best"))
    return to


def found(folder: Path) -> Confirmation:
    """What a confirm found, without the moment."""
    result = read_confirmation(folder / "confirm.json")
    assert result is not None
    return result.model_copy(update={"when": ""})


@pytest.fixture(scope="module")
def whole(study: StudyView, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The confirm that nobody killed, with one worker."""
    folder = copied(study, tmp_path_factory.mktemp("confirm") / "whole")
    assert confirm(folder, "1") == 0
    return folder


@pytest.mark.parametrize(
    ("moment", "count", "workers"),
    [
        ("result", 5, "1"), ("end", 1, "1"), ("result", 1, "2"), ("result", 10, "2"),
        ("student", 6, "2"), ("score", 3, "2"),
    ],
)  # fmt: skip
def test_a_killed_confirm_goes_on_to_the_same_result(
    moment: str, count: int, workers: str, whole: Path, study: StudyView, tmp_path: Path
) -> None:
    folder = copied(study, tmp_path / "study")
    assert confirm(folder, workers, moment, str(count), "driver") == -9
    assert not (folder / "confirm.json").exists()
    time.sleep(2)
    assert left(folder) == []
    assert confirm(folder, workers) == 0
    assert found(folder) == found(whole)
    again = moment in ("student", "score")  # counted, but killed before it was kept
    trainings = len(list(folder.glob("confirm/epochs-*/*/seed-*/outcome.json")))
    assert scores_of_confirms(folder) == trainings + again


def test_a_killed_worker_changes_nothing(whole: Path, study: StudyView, tmp_path: Path) -> None:
    folder = copied(study, tmp_path / "study")
    assert confirm(folder, "2", "result", "4", "worker") == 0
    assert found(folder) == found(whole)
    assert scores_of_confirms(folder) == scores_of_confirms(whole)
