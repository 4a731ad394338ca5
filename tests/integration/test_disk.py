"""A disk that is full: one message, nothing lost, and the same command goes on."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas_kd.confirm.asked import Asked
from nas_kd.confirm.confirm import confirm
from nas_kd.confirm.opening import options_of
from nas_kd.driver.drive import drive
from nas_kd.driver.events import Event, Told
from nas_kd.driver.options import RunOptions
from nas_kd.errors import ServerLost, UnusableStudy, Unwritable
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import StudyView, read_study
from tests.conftest import TAUGHT, results, searched, tiny
from tests.integration.postgres import server

pytestmark = pytest.mark.slow


@pytest.fixture
def disk() -> Iterator[Path]:
    """A disk of 64 megabytes."""
    place = Path(tempfile.mkdtemp(prefix="disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=777", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        place.rmdir()
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()


def fill(disk: Path, left: int = 0) -> None:
    """Leave so many bytes free."""
    found = os.statvfs(disk)
    (disk / "full").write_bytes(bytes(found.f_bavail * found.f_bsize - left))


@pytest.mark.parametrize("left", [0, 100_000, 160_000, 300_000])
def test_a_full_disk_loses_nothing(left: int, disk: Path, study: StudyView) -> None:
    fill(disk, left)
    with pytest.raises((Unwritable, UnusableStudy), match="Make room"):
        searched(disk / "study", workers=1, **TAUGHT)
    (disk / "full").unlink()
    assert results(searched(disk / "study", workers=1, **TAUGHT)) == results(study)


@pytest.mark.parametrize("left", [0, 4096, 8192])
def test_a_confirm_on_a_full_disk_goes_on(left: int, disk: Path, study: StudyView) -> None:
    place = disk / "study"
    shutil.copytree(study.folder.root, place)
    fill(disk, left)
    with pytest.raises((Unwritable, UnusableStudy), match="Make room"):
        confirm(options_of(place, 0), Asked(seeds=2, epochs=1), lambda event: None)
    (disk / "full").unlink()
    found = confirm(options_of(place, 0), Asked(seeds=2, epochs=1), lambda event: None)
    assert all(one.reached for one in found.students)


def test_a_server_whose_disk_is_full_says_so_and_loses_nothing(
    disk: Path, study: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas_kd.study.postgres.PATIENCE", 2.0)
    told = 0

    def observe(event: Event) -> None:
        nonlocal told
        told += isinstance(event, Told)
        if told == 3 and isinstance(event, Told):
            fill(disk)

    with server(disk) as found:
        options = RunOptions(tmp_path / "study", 0, storage=found.url)
        with pytest.raises(ServerLost, match=r"has no room .*Make room on its disk"):
            drive(tiny(**TAUGHT), options, observe)
        (disk / "full").unlink()
        drive(tiny(**TAUGHT), options, lambda event: None)
        assert results(read_study(StudyFolder(tmp_path / "study"))) == results(study)
