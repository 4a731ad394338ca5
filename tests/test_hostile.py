"""Files that mean harm: each is refused in one message, or is harmless."""

import csv
import json
import os
import pickle
import shutil
import sqlite3
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.lib.format import write_array_header_1_0
from PIL import Image

from nas_kd.package.write import export
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import StudyView, read_study
from tests.conftest import Run
from tests.data.test_table import sorted_people

ODD = ("<script>alert(1)</script>", "../../../escaped", "$(touch escaped)", "a\x1b[2Jb")
"""Names of classes and columns."""


class Touching:
    """An object whose unpickling leaves a file."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (Path("harmed"),)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder inside another one, which must stay as it is."""
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    return inner


def outside(place: Path) -> set[Path]:
    """All files that lie around the working folder, the cache apart."""
    return {path for path in place.parents[1].rglob("*") if place not in path.parents}


def search(run: Run, *flags: str) -> Any:
    return run(
        "search", "--budget", "2k", "--trials", "2", "--epochs", "1", "--fix", "teacher_epochs=1",
        "--fix", "teacher_width=4", "--workers", "0", "--study", "study", *flags,
    )  # fmt: skip


def test_a_pickle_among_arrays_is_refused_and_not_run(run: Run, place: Path) -> None:
    content = np.empty(30, object)
    content[:] = [Touching() for _ in range(30)]
    np.savez("evil.npz", X=content, y=np.arange(30) % 3)
    done = search(run, "--data", "npz:evil.npz")
    assert done.returncode == 2
    assert "evil.npz" in done.stderr
    assert not Path("harmed").exists()


@pytest.mark.parametrize("whole", [True, False])
def test_a_pickle_in_weights_is_refused_and_not_run(run: Run, place: Path, whole: bool) -> None:
    if whole:
        Path("evil.pt").write_bytes(pickle.dumps(Touching()))
    else:
        torch.save({"weight": Touching()}, "evil.pt")
    done = search(
        run, "--data", "digits", "--teacher", "torchvision:resnet18", "--teacher-weights", "evil.pt"
    )
    assert done.returncode == 2
    assert "evil.pt" in done.stderr
    assert not Path("harmed").exists()


@pytest.mark.parametrize("suffix", ["pt2", "joblib", "pkl"])
def test_a_teacher_that_may_be_a_pickle_is_not_read_without_trust(
    suffix: str, run: Run, place: Path
) -> None:
    Path(f"evil.{suffix}").write_bytes(pickle.dumps(Touching()))
    done = search(run, "--data", "digits", "--teacher", f"evil.{suffix}")
    assert done.returncode == 2
    assert "--trust" in done.stderr
    assert not Path("harmed").exists()


def test_a_path_inside_an_archive_of_arrays_leads_nowhere(run: Run, place: Path) -> None:
    x = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    np.savez("arrays.npz", X=x, y=np.arange(90) % 3)
    with zipfile.ZipFile("arrays.npz", "a") as archive:
        archive.writestr("../../escaped.npy", b"")
    before = outside(place)
    done = search(run, "--data", "npz:arrays.npz")
    assert done.returncode in (0, 2), done.stderr
    assert outside(place) == before
    assert not list(place.rglob("escaped*"))


def test_odd_names_of_classes_and_columns_are_names_and_nothing_else(run: Run, place: Path) -> None:
    people = sorted_people().drop(columns="family")
    kinds = dict(zip(sorted(set(people["class"])), ODD, strict=False))
    people["class"] = people["class"].map(kinds)
    people = people.rename(columns=dict(zip(people.columns, ODD[:2], strict=False)))
    people.to_csv("odd.csv", index=False, quoting=csv.QUOTE_ALL)
    before = outside(place)
    label = next(name for name in people.columns if set(people[name]) <= set(ODD))
    done = search(run, "--data", "csv:odd.csv", "--label", label)
    assert done.returncode == 0, done.stderr
    assert run("report", "study").returncode == 0
    assert run("export", "study").returncode == 0
    assert outside(place) == before
    assert not list(place.rglob("*escaped*"))
    assert "\x1b[2J" not in done.stdout + done.stderr
    page = Path("study/report.html").read_text()
    assert "<script>alert(1)" not in page
    for card in Path("study").rglob("*.md"):
        assert "<script>alert(1)" not in card.read_text()


def test_a_table_of_ten_million_columns_is_refused_before_it_is_read(run: Run, place: Path) -> None:
    with Path("wide.csv").open("w") as file:
        file.write("c," * 10**7 + "label\n" + "1," * 10**7 + "a\n")
    done = search(run, "--data", "csv:wide.csv", "--label", "label")
    assert done.returncode == 2
    assert "10,000,001 columns, and 10,000 are the most" in done.stderr


def bomb(path: Path, side: int) -> None:
    """A picture of a few hundred kB that has a bit for each of side x side pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checked

    press = zlib.compressobj(9)
    rows = b"".join(press.compress(bytes(1 + side // 8)) for _ in range(side)) + press.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def test_a_picture_of_billions_of_pixels_is_named_and_not_opened(run: Run, place: Path) -> None:
    random = np.random.default_rng(0)
    for kind in ("one", "two"):
        (place / "pictures" / kind).mkdir(parents=True)
        for number in range(30):
            pixels = random.integers(0, 255, (8, 8), np.uint8)
            Image.fromarray(pixels).save(f"pictures/{kind}/{number}.png")
    bomb(place / "pictures" / "one" / "bomb.png", 40_000)
    done = search(run, "--data", "imagefolder:pictures")
    assert done.returncode == 2
    assert "bomb.png" in done.stderr


@pytest.fixture
def copied(study: StudyView, place: Path) -> Path:
    """A study that somebody sent."""
    shutil.copytree(study.folder.root, "sent")
    return Path("sent")


READING = (("trials",), ("report", "--print"), ("export",), ("dashboard",),
           ("smallest", "--accuracy", "50"))  # fmt: skip


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_link_in_a_study_is_not_followed(
    command: tuple[str, ...], run: Run, copied: Path, place: Path
) -> None:
    (place.parent / "other").mkdir()
    (copied / "best").symlink_to(place.parent / "other", target_is_directory=True)
    done = run(
        command[0], str(copied), *command[1:], *["--accuracy", "50"] * ("smallest" in command)
    )
    assert (done.returncode, "has links to other places: best" in done.stderr) == (2, True)
    assert not any((place.parent / "other").iterdir())


def test_another_programs_database_is_left_as_it_is(run: Run, copied: Path) -> None:
    for path in copied.glob("study.db*"):
        path.unlink()
    with closing(sqlite3.connect(copied / "study.db")) as connection:
        connection.execute("CREATE TABLE bookmarks (name)")
    before = (copied / "study.db").read_bytes()
    done = run("trials", str(copied))
    assert (done.returncode, "holds no study" in done.stderr) == (2, True)
    assert (copied / "study.db").read_bytes() == before


@pytest.mark.parametrize(
    "name", ["spec.toml", "mishaps.jsonl", "students/truth.npy", "driver.lock"]
)
def test_a_pipe_in_a_study_is_not_waited_for(name: str, run: Run, copied: Path) -> None:
    (copied / name).unlink(missing_ok=True)
    os.mkfifo(copied / name)
    for command in (["report", str(copied), "--print"], ["search", "--study", str(copied)]):
        done = run(*command)
        assert done.returncode == 2
        assert f"what is neither a file nor a folder: {Path(name).name}" in done.stderr


@pytest.mark.parametrize("text", ["a" + ".a" * 100_000 + " = 1", "trials = " + "9" * 5000])
def test_a_spec_that_would_take_all_memory_is_refused(text: str, run: Run, place: Path) -> None:
    Path("large.toml").write_text(f"schema = 4\n{text}")
    done = run("search", "large.toml")
    assert done.returncode == 2
    assert "large.toml: is " in done.stderr


def sparse(path: Path) -> None:
    """An array of 40 GB, none of which is on the disk."""
    with path.open("wb") as file:
        write_array_header_1_0(
            file, {"descr": "<i8", "fortran_order": False, "shape": (10**9, 5)}
        )  # fmt: skip
        file.truncate(8 * 5 * 10**9 + file.tell())


@pytest.mark.parametrize("name", ["students/truth.npy", "students/{}/answers.npy"])
@pytest.mark.parametrize("content", [3, [1, 2], [[[1]]], ["a"], [[0.5]], "sparse"])
def test_answers_of_an_odd_shape_are_not_compared(
    name: str, content: Any, run: Run, copied: Path
) -> None:
    best = read_study(StudyFolder(copied.resolve())).pick("best")
    path = copied / name.format(f"{best.number:05}")
    if content == "sparse":
        sparse(path)
    else:
        np.save(path, np.array(content))
    assert run("report", str(copied), "--print").returncode == 0


@pytest.mark.parametrize(
    "student",
    [
        {"depth": 300_000, "channels": [1] * 300_000},
        {"channels": [-1, 22]},
        {"channels": [10**18, 22]},
        {"input_shape": [1, 10**9, 10**9]},
        {"classes": -3},
    ],
    ids=["layers", "negative", "wide", "large", "classes"],
)
def test_a_package_of_an_impossible_student_is_refused(
    student: dict[str, Any], run: Run, study: StudyView, place: Path
) -> None:
    package = export(study, "best", place / "package")
    facts = json.loads((package / "config.json").read_text())
    facts["student"] |= student
    (package / "config.json").write_text(json.dumps(facts))
    done = run("evaluate", "package")
    assert done.returncode == 2
    assert "package" in done.stderr


def test_what_would_steer_a_terminal_is_written_out(
    run: Run, study: StudyView, place: Path
) -> None:
    package = export(study, "best", place / "package")
    facts = json.loads((package / "config.json").read_text())
    facts["student"]["family"] = "a\x1b]0;title\x07:b"
    (package / "config.json").write_text(json.dumps(facts))
    done = run("evaluate", "package")
    assert done.returncode == 2
    assert r"a\x1b]0;title\x07:b" in done.stderr
    assert "\x1b" not in done.stderr


def test_trials_that_were_deleted_are_missed(run: Run, copied: Path) -> None:
    with closing(sqlite3.connect(copied / "study.db")) as tables:
        for table in ("trial_values", "trial_params", "trial_user_attributes", "trials"):
            tables.execute(f"DELETE FROM {table}")
        tables.commit()
    for more in ((), ("--trials", "+4")):
        done = run("search", "--study", str(copied), "--workers", "0", *more)
        assert (done.returncode, "has lost its trials" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["search", "--budget", "2k", "--data", f"npz:{'a' * 5000}"],
        ["trials", "a" * 5000],
        ["search", "--budget", "2k", "--data", "digits", "--study", "a" * 300],
    ],
    ids=["data", "trials", "study"],
)
def test_a_name_that_is_too_long_is_one_message(words: list[str], run: Run, place: Path) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert "File name too long" in done.stderr


def test_a_closed_output_is_no_bug(study: StudyView) -> None:
    program = "from nas_kd.cli import main; main()"
    command = f"{sys.executable} -c '{program}' trials {study.folder.root} >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
