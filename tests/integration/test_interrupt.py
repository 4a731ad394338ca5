"""Ctrl-C and SIGTERM: all is kept, the command to go on is printed, no process is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import read_study
from tests.integration.test_kill import left

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

FLAGS = ["--budget", "2k", "--data", "digits", "--epochs", "2", "--trials", "4", "--fix",
         "teacher_width=8", "--study", "study"]  # fmt: skip


def search(folder: Path, *flags: str) -> subprocess.Popen[str]:
    package = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", "from nas_kd.cli import main; main()", "search", *flags],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": package, "STUDY_OF_TEST": str(folder),
                          "NAS_KD_CACHE": str(folder / "cache")},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("number", "code", "workers"), [(signal.SIGTERM, 143, "0"), (signal.SIGINT, 130, "2")]
)
def test_a_signal_ends_a_search_in_order(
    number: signal.Signals, code: int, workers: str, tmp_path: Path
) -> None:
    running = search(tmp_path, *FLAGS, "--workers", workers)
    progress = tmp_path / "study" / "checkpoints" / "teacher.epochs"
    while not (progress.exists() and progress.stat().st_size):
        assert running.poll() is None, running.communicate()
        time.sleep(0.005)
    running.send_signal(number)
    _, err = running.communicate(timeout=20)
    assert running.returncode == code, err
    assert "nas-kd search --study study" in err
    assert "Traceback" not in err
    time.sleep(2)
    assert left(tmp_path) == []
    again = search(tmp_path, "--study", "study", "--workers", "2")
    _, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert len(read_study(StudyFolder(tmp_path / "study")).points) == 4
