"""Files are written whole or not at all."""

import os
from pathlib import Path
from typing import BinaryIO

import pytest

from nas_kd.errors import Unwritable
from nas_kd.files import network_file_system, replace, write_text


@pytest.mark.parametrize("name", ["", "pipe", "folder"])
def test_what_is_no_file_is_never_replaced(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    before = (tmp_path / "pipe").stat()
    with pytest.raises(Unwritable, match=r"is no file\. Name a file for it"):
        write_text(tmp_path / name if name else Path(), "x")
    assert (tmp_path / "pipe").stat().st_ino == before.st_ino


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        replace(path, fail)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/ana/runs/digits", "nfs4"),
        ("/home", None),
        ("/home/ana of lab/runs", "fuse.sshfs"),
        ("/scratch/runs", "lustre"),
        ("/elsewhere", None),
    ],
)
def test_a_network_file_system_is_known(folder: str, kind: str | None, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/vda / ext4 rw 0 0\n"
        "server:/export /home/ana nfs4 rw 0 0\n"
        "lab:/ /home/ana\\040of\\040lab fuse.sshfs rw 0 0\n"
        "mds:/fs /scratch lustre rw 0 0\n"
    )
    assert network_file_system(Path(folder), mounts) == kind


def test_no_file_system_is_guessed_where_none_is_told(tmp_path: Path) -> None:
    assert network_file_system(tmp_path, tmp_path / "absent") is None
