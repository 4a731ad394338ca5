"""A finished study that may only be read, and output that cannot be written."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas_kd.study.view import StudyView

pytestmark = pytest.mark.slow

MAIN = [sys.executable, "-c", "from nas_kd.cli import main; main()"]


@pytest.fixture
def sealed(study: StudyView, tmp_path: Path) -> Iterator[Path]:
    """The study on a disk that was made read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a disk")
    shutil.copytree(study.folder.root, place / "study")
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    yield place / "study"
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def nas_kd(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [*MAIN, *arguments], cwd=place, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "command",
    [
        ["trials", "STUDY"],
        ["trials", "STUDY", "--format", "json"],
        ["smallest", "STUDY", "--of-teacher", "10%"],
        ["report", "STUDY", "--to", "page.html"],
        ["export", "STUDY", "--to", "package", "--onnx"],
    ],
    ids=" ".join,
)
def test_a_study_on_a_read_only_disk_is_read(
    command: list[str], sealed: Path, tmp_path: Path
) -> None:
    done = nas_kd(tmp_path, *(str(sealed) if word == "STUDY" else word for word in command))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("command", ["report", "export"])
def test_what_would_be_written_into_it_names_another_place(
    command: str, sealed: Path, tmp_path: Path
) -> None:
    done = nas_kd(tmp_path, command, str(sealed))
    assert done.returncode == 2
    assert "Read-only file system" in done.stderr
    assert "Name another place for it" in done.stderr


def test_the_dashboard_serves_it(sealed: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [*MAIN, "dashboard", str(sealed), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("http://127.0.0.1:")
        server.terminate()


def test_output_to_a_full_disk_is_one_message(study: StudyView, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    for command in (["trials"], ["trials", "--format", "csv"], ["smallest", "--of-teacher", "9%"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [*MAIN, command[0], str(study.folder.root), *command[1:]],
                stdout=full, stderr=subprocess.PIPE, env=environment, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith(
            "error: output or a temporary file is not written (No space left"
        )
        assert len(done.stderr.splitlines()) == 1


def test_a_reader_who_stops_reading_ends_the_command(study: StudyView) -> None:
    command = f"{' '.join(map(repr, MAIN))} trials '{study.folder.root}' | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "bug" not in done.stderr
    assert "Traceback" not in done.stderr
