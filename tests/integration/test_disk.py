"""A disk that is full: one message, nothing lost, and the same command goes on."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas_kd.errors import UnusableStudy, Unwritable
from nas_kd.study.view import StudyView
from tests.conftest import TAUGHT, results, searched

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_loses_nothing(disk: Path, study: StudyView) -> None:
    with pytest.raises((Unwritable, UnusableStudy), match="Make room"):
        searched(disk / "study", workers=1, **TAUGHT)
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
    assert results(searched(disk / "study", workers=1, **TAUGHT)) == results(study)
