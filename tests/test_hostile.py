"""Files that mean harm: each is refused in one message, or is harmless."""

import csv
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

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
