"""kill -9 at any moment, then resume: the same study, bit for bit, and no process left behind."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from nas_kd.study.folder import StudyFolder
from nas_kd.study.mishaps import mishaps
from nas_kd.study.view import StudyView, read_study
from tests.conftest import results

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

ROOT = Path(__file__).parents[2]


def drive(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.integration.drive", str(folder), *arguments]
    mine = {"STUDY_OF_TEST": str(folder), "NAS_KD_CACHE": str(folder.parent / "cache")}
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | mine)


def left(folder: Path) -> list[str]:
    """The processes of a study that are alive: they carry its folder in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            mine = f"STUDY_OF_TEST={folder}".encode() in (process / "environ").read_bytes()
            if mine and "\nState:\tZ" not in (process / "status").read_text():
                found.append(process.name)
        except (OSError, ValueError):
            continue
    return found


def read(folder: Path) -> StudyView:
    return read_study(StudyFolder(folder))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> StudyView:
    """The study that nobody killed, with one worker."""
    folder = tmp_path_factory.mktemp("kill") / "whole"
    assert drive(folder, "1").wait() == 0
    view = read(folder)
    assert len(view.rows) == 20
    assert {row.state for row in view.rows} == {"complete", "stopped"}
    return view


def equal(view: StudyView, other: StudyView) -> None:
    assert results(view) == results(other)
    for row in view.rows:
        places = [v.folder.student(row.number) / "weights.safetensors" for v in (view, other)]
        assert places[0].exists() == places[1].exists()
        if places[0].exists():
            assert places[0].read_bytes() == places[1].read_bytes()
    assert view.facts.get("twin") == other.facts.get("twin")


def test_two_workers_give_what_one_gives(whole: StudyView, tmp_path: Path) -> None:
    assert drive(tmp_path / "study", "2").wait() == 0
    equal(read(tmp_path / "study"), whole)


@pytest.mark.parametrize(
    ("moment", "count"),
    [
        ("result", 3),
        ("result", 12),
        ("proposal", 5),
        ("proposal", 15),
        ("tell", 4),
        ("tell", 15),
        ("student", 2),
        ("teacher", 1),
    ],
)
def test_a_killed_driver_goes_on_where_it_stopped(
    moment: str, count: int, whole: StudyView, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    assert drive(folder, "2", moment, str(count), "driver").wait() == -9
    if moment == "result" and count < 14:
        assert len(list(folder.glob("checkpoints/*/*.json"))) == count
    time.sleep(2)
    assert left(folder) == []
    assert drive(folder, "2").wait() == 0
    equal(read(folder), whole)
    assert kinds(folder) == {"killed": 1}


def kinds(folder: Path) -> Counter[str]:
    """What was kept of what went wrong."""
    return Counter(mishap.kind for mishap in mishaps(StudyFolder(folder)))


@pytest.mark.parametrize("count", [3, 7, 12])
def test_a_killed_worker_changes_nothing(count: int, whole: StudyView, tmp_path: Path) -> None:
    assert drive(tmp_path / "study", "2", "result", str(count), "worker").wait() == 0
    equal(read(tmp_path / "study"), whole)
    assert set(kinds(tmp_path / "study")) <= {"again"}  # none, of a worker that had no job


@pytest.mark.parametrize("victim", ["driver", "workers"])
def test_a_kill_inside_the_teachers_training_changes_nothing(
    victim: str, whole: StudyView, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    driver = drive(folder, "2")
    progress = folder / "checkpoints" / "teacher.epochs"
    while not (progress.exists() and progress.stat().st_size):
        assert driver.poll() is None, "the teacher was never seen training"
        time.sleep(0.005)
    assert not (folder / "teacher" / "config.json").exists()
    if victim == "driver":
        driver.kill()
        assert driver.wait() == -9
        time.sleep(2)
        assert left(folder) == []
        driver = drive(folder, "2")
    else:
        for pid in left(folder):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"serve" in command and parent(pid) != driver.pid:
                os.kill(int(pid), 9)
    assert driver.wait() == 0
    equal(read(folder), whole)


def parent(pid: str) -> int:
    """The parent of a process: a worker's is the fork server, whose is the driver."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[1])


def test_a_half_written_checkpoint_is_trained_again(whole: StudyView, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    assert drive(folder, "2", "result", "7", "driver").wait() == -9
    kept = sorted(folder.glob("checkpoints/*/*.safetensors"))
    kept[0].write_bytes(kept[0].read_bytes()[:100])
    kept[1].with_suffix(".json").write_text("{")
    assert drive(folder, "1").wait() == 0
    equal(read(folder), whole)
    assert kinds(folder) == {"killed": 1, "spoiled": 2}


def test_a_study_goes_on_without_its_prepared_data(whole: StudyView, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    assert drive(folder, "2", "result", "3", "driver").wait() == -9
    shutil.rmtree(folder.parent / "cache")
    assert drive(folder, "2").wait() == 0
    equal(read(folder), whole)


LEARNING = {
    "online": {"scheme": "online"},
    "self": {"scheme": "self", "epochs": 4, "rungs": [3]},
    "exits": {"scheme": "exits"},
    "layers": {"family": "cnn", "knowledge": ["fitnet", "kl + 0.5 rkd"]},
}


@pytest.mark.parametrize("learning", LEARNING)
def test_what_is_trained_beside_a_student_survives_a_kill(learning: str, tmp_path: Path) -> None:
    settings = json.dumps({"trials": 10, "generation": 10} | LEARNING[learning])
    assert drive(tmp_path / "whole", "1", "", "0", "", settings).wait() == 0
    folder = tmp_path / "study"
    for count in ("3", "9"):
        killed = drive(folder, "2", "result", count, "driver", settings)
        assert killed.wait() == -9
    assert drive(folder, "2", "", "0", "", settings).wait() == 0
    equal(read(folder), read(tmp_path / "whole"))
