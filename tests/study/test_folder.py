"""The study's folder and who may write there."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from nas_kd.errors import SpecDiffers, StudyLocked, UnusableStudy, Unwritable
from nas_kd.files import write_text
from nas_kd.study.checkpoints import forget
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder, lock
from nas_kd.study.lease import lease
from nas_kd.study.storage import Database
from tests.conftest import tiny


def test_a_folder_without_a_study_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UnusableStudy, match="nas-kd search"):
        StudyFolder(tmp_path).read_spec()


def test_what_only_a_running_search_needs_is_cleared_and_the_study_stays(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    write_text(folder.spec, tiny().to_toml())
    write_text(folder.progress("twin-of-trial-3"), "..")
    write_text(folder.root / "checkpoints/00003/rung-1.safetensors", "weights")
    folder.clear()
    kept = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == {"spec.toml", "checkpoints/00003/rung-1.safetensors"}


def test_a_study_is_resumed_with_its_own_spec_only(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    folder.compare(tiny())
    write_text(folder.spec, tiny().to_toml())
    folder.compare(tiny(trials=20))
    with pytest.raises(SpecDiffers) as caught:
        folder.compare(tiny(trials=4, epochs=3, seed=1))
    assert len(caught.value.differences) == 3


HOLD = """
import sys, time
from pathlib import Path
from nas_kd.files import write_text
from nas_kd.study.folder import StudyFolder, lock
with lock(StudyFolder(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_live_study_is_refused_and_a_dead_one_taken_over(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        held = pytest.raises(StudyLocked, match=f"process {other.pid} on")
        with held, lock(StudyFolder(tmp_path)):
            pass
        other.kill()
        other.wait()
    with lock(StudyFolder(tmp_path)) as held:
        assert held.holder in (tmp_path / "driver.lock").read_text()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    unusable = pytest.raises(Unwritable, match="--study")
    with unusable, lock(StudyFolder(tmp_path / "file" / "study")):
        pass


@pytest.mark.parametrize("name", ["driver.lock", "controls", "students/00003", "search.log"])
def test_a_study_with_links_to_other_places_is_not_searched(name: str, tmp_path: Path) -> None:
    study, outside = StudyFolder(tmp_path / "study"), tmp_path / "outside"
    with lock(study):
        (study.root / "students").mkdir()
    (study.root / name).unlink(missing_ok=True)
    outside.write_text("mine")
    (study.root / name).symlink_to(outside)
    refused = pytest.raises(UnusableStudy, match=f"links to other places: {Path(name).name}")
    with refused, lock(study):
        pass
    assert outside.read_text() == "mine"


def test_what_is_cleared_are_files_that_were_being_written_and_no_others(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    (folder.root / "students" / ".ipynb_checkpoints").mkdir(parents=True)
    (folder.root / "students" / ".mine").touch()
    places = (
        "students/.weights.safetensors.12-34",
        "signals/abc/.logits.npy.77-8",
        ".study.db.1-2",
    )
    torn = [folder.root / place for place in places]
    for path in torn:
        write_text(path, "half")
    folder.clear()
    assert not any(path.exists() for path in torn)
    assert (folder.root / "students" / ".mine").exists()
    assert (folder.root / "students" / ".ipynb_checkpoints").is_dir()


def test_a_lease_of_another_host_is_respected_until_it_expires(tmp_path: Path) -> None:
    ledger = Ledger.create(
        Database(tmp_path / "study.db"), "mine", "validation accuracy", "parameters"
    )
    ledger.note("driver", {"holder": "process 1 on elsewhere", "until": time.time() + 60})
    held = pytest.raises(StudyLocked, match="process 1 on elsewhere")
    with held, lease(ledger, "runs/x", "process 2 on here"):
        pass
    ledger.note("driver", {"holder": "process 1 on elsewhere", "until": time.time() - 1})
    with lease(ledger, "runs/x", "process 2 on here") as expect_held:
        expect_held()
        assert ledger.facts()["driver"]["holder"] == "process 2 on here"
        assert ledger.facts()["driver"]["until"] > time.time()
    assert ledger.facts()["driver"]["until"] == 0


def test_a_lease_that_another_host_took_is_lost_and_its_successors_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas_kd.study.lease.RENEWED", 0.01)
    ledger = Ledger.create(
        Database(tmp_path / "study.db"), "mine", "validation accuracy", "parameters"
    )
    successor = {"holder": "process 1 on elsewhere", "until": time.time() + 60}
    with lease(ledger, "runs/x", "process 2 on here") as expect_held:
        ledger.note("driver", successor)
        time.sleep(0.2)
        assert ledger.facts()["driver"] == successor
        with pytest.raises(StudyLocked, match="process 1 on elsewhere"):
            expect_held()
    assert ledger.facts()["driver"] == successor


def test_of_two_who_take_a_lease_one_has_it(tmp_path: Path) -> None:
    ledger = Ledger.create(
        Database(tmp_path / "study.db"), "mine", "validation accuracy", "parameters"
    )
    first, second, third = ({"holder": f"process {n} on here", "until": 0} for n in (1, 2, 3))
    assert ledger.exchange("driver", None, first)
    assert not ledger.exchange("driver", None, second)
    assert ledger.exchange("driver", first, third)
    assert ledger.facts()["driver"] == third


def test_a_lease_until_a_time_that_no_driver_writes_is_none(tmp_path: Path) -> None:
    ledger = Ledger.create(
        Database(tmp_path / "study.db"), "mine", "validation accuracy", "parameters"
    )
    ledger.note("driver", {"holder": "process 1 on elsewhere", "until": 1e300})
    with lease(ledger, "runs/x", "process 2 on here") as expect_held:
        expect_held()


def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(file: Any, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(UnusableStudy, match="cannot lock its files \\(No locks available\\)"),
        lock(StudyFolder(tmp_path / "study")),
    ):
        pass


def test_files_that_come_and_go_while_a_folder_is_looked_at_are_no_matter(tmp_path: Path) -> None:
    folder, done = StudyFolder(tmp_path), threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            for trial in range(20):
                write_text(folder.checkpoint(trial, 1), "weights")
            for trial in range(20):
                forget(folder, trial)

    writer = threading.Thread(target=come_and_go)
    writer.start()
    for _ in range(100):
        folder.expect_plain()
    done.set()
    writer.join()
