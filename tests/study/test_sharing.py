"""Folders that the cache keeps for several studies."""

from pathlib import Path

from nas_kd.study.sharing import keep, take


def test_a_kept_folder_is_taken_with_the_name_of_the_study_that_made_it(tmp_path: Path) -> None:
    mine, kept, theirs = tmp_path / "mine", tmp_path / "cache" / "key", tmp_path / "theirs" / "here"
    mine.mkdir()
    (mine / "weights").write_bytes(b"w")
    (mine / "facts.json").write_text("{}")
    assert take(kept, theirs) is None
    assert not theirs.exists()
    keep(mine, kept, "runs/first")
    keep(mine, kept, "runs/second")
    assert take(kept, theirs) == "runs/first"
    assert sorted(path.name for path in theirs.iterdir()) == ["facts.json", "weights"]
    assert (theirs / "weights").read_bytes() == b"w"
    assert [path.name for path in kept.parent.iterdir()] == ["key"]


def test_a_kept_folder_that_was_changed_is_not_taken_and_goes(tmp_path: Path) -> None:
    mine, kept, theirs = tmp_path / "mine", tmp_path / "key", tmp_path / "theirs"
    mine.mkdir()
    (mine / "weights").write_bytes(b"w")
    keep(mine, kept, "runs/first")
    (kept / "weights").unlink()
    (kept / "weights").write_bytes(b"v")
    assert take(kept, theirs) is None
    assert not kept.exists()
    assert not theirs.exists()


def test_a_cache_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "file").touch()
    keep(tmp_path / "mine", tmp_path / "file" / "key", "runs/first")
    assert (tmp_path / "file").is_file()
