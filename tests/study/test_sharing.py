"""Folders that the cache keeps for several studies."""

import errno
import hashlib
import json
from pathlib import Path

import pytest

from nas_kd.errors import Unwritable
from nas_kd.files import write_text
from nas_kd.study import sharing
from nas_kd.study.sharing import share, take


def test_a_kept_folder_is_taken_with_the_name_of_the_study_that_made_it(tmp_path: Path) -> None:
    mine, kept, theirs = tmp_path / "mine", tmp_path / "cache" / "key", tmp_path / "theirs" / "here"
    mine.mkdir()
    (mine / "weights").write_bytes(b"w")
    (mine / "facts.json").write_text("{}")
    assert take(kept, theirs) is None
    assert not theirs.exists()
    share(mine, kept, "runs/first")
    share(mine, kept, "runs/second")
    assert take(kept, theirs) == "runs/first"
    assert sorted(path.name for path in theirs.iterdir()) == ["facts.json", "weights"]
    assert (theirs / "weights").read_bytes() == b"w"
    assert [path.name for path in kept.parent.iterdir()] == ["key"]


def test_files_that_were_being_written_are_not_shared(tmp_path: Path) -> None:
    place, kept = tmp_path / "study", tmp_path / "kept"
    write_text(place / "logits.npy", "whole")
    write_text(place / ".logits.npy.77-88", "half")
    share(place, kept, "runs/x")
    assert {path.name for path in kept.iterdir()} == {"logits.npy", "shared.json"}


def test_a_kept_folder_that_was_changed_is_not_taken_and_goes(tmp_path: Path) -> None:
    mine, kept, theirs = tmp_path / "mine", tmp_path / "key", tmp_path / "theirs"
    mine.mkdir()
    (mine / "weights").write_bytes(b"w")
    share(mine, kept, "runs/first")
    (kept / "weights").unlink()
    (kept / "weights").write_bytes(b"v")
    assert take(kept, theirs) is None
    assert not kept.exists()
    assert not theirs.exists()


@pytest.mark.parametrize("name", ["../file", "{folder}/file", ".", "shared.json"])
def test_a_name_in_a_note_that_leads_elsewhere_is_not_followed(name: str, tmp_path: Path) -> None:
    kept, file = tmp_path / "cache" / "key", tmp_path / "cache" / "file"
    kept.mkdir(parents=True)
    file.write_text("mine")
    files = {name.format(folder=file.parent): hashlib.sha256(b"mine").hexdigest()}
    (kept / "shared.json").write_text(json.dumps({"study": "a", "files": files}))
    assert take(kept, tmp_path / "theirs") is None
    assert file.read_text() == "mine"
    assert not (tmp_path / "theirs").exists()


@pytest.mark.parametrize("note", ["{", "[]", '{"study": "a"}', '{"study": "a", "files": {"x": 1}}'])
def test_a_damaged_note_is_as_if_nothing_was_kept(note: str, tmp_path: Path) -> None:
    kept = tmp_path / "key"
    kept.mkdir()
    (kept / "shared.json").write_text(note)
    assert take(kept, tmp_path / "theirs") is None
    assert not kept.exists()


def test_between_two_disks_files_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_disk(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("os.link", other_disk)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "weights").write_bytes(b"w")
    share(tmp_path / "mine", tmp_path / "key", "runs/first")
    assert take(tmp_path / "key", tmp_path / "theirs") == "runs/first"
    assert (tmp_path / "theirs" / "weights").read_bytes() == b"w"
    assert (tmp_path / "theirs" / "weights").stat().st_nlink == 1


def test_a_full_cache_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: str) -> None:
        raise Unwritable(str(path), "cannot be written (No space left on device)", "Make room.")

    monkeypatch.setattr(sharing, "write_text", full)
    (tmp_path / "mine").mkdir()
    share(tmp_path / "mine", tmp_path / "cache" / "key", "runs/first")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "file").touch()
    share(tmp_path / "mine", tmp_path / "file" / "key", "runs/first")
    assert (tmp_path / "file").is_file()
