"""Arrays that are larger than what is kept in memory."""

from pathlib import Path

import numpy as np
import pytest

from nas_kd.data import arrays
from nas_kd.data.arrays import ArrayRef, content, pieces, release, room
from nas_kd.data.source import Labelled, Raw, Request, Source
from nas_kd.data.transfer import TransferSet, prepare


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything counts as large, and is handled in small pieces."""
    monkeypatch.setattr(arrays, "LARGE", 1)
    monkeypatch.setattr(arrays, "PIECE", 16)


@pytest.mark.usefixtures("large")
def test_a_large_array_lies_in_a_file_and_keeps_its_values() -> None:
    array = room((100, 3), np.float32)
    assert isinstance(array, np.memmap)
    array[:] = np.arange(300).reshape(100, 3)
    release(array)
    assert array.sum() == 300 * 299 / 2
    assert [len(piece) for piece in pieces(array)] == [16] * 6 + [4]


@pytest.mark.usefixtures("large")
def test_an_array_is_written_in_pieces_as_numpy_would(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(50, 2, 3)).astype(np.float32)
    reference = ArrayRef.save(array, tmp_path / "array.npy")
    np.save(tmp_path / "theirs.npy", array)
    assert (tmp_path / "array.npy").read_bytes() == (tmp_path / "theirs.npy").read_bytes()
    assert reference.sha256 == content(array)
    assert np.array_equal(reference.open(), array)


def test_a_large_set_is_prepared_to_the_same_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (90, 1, 6, 6), np.uint8)

    def prepared(name: str) -> TransferSet:
        source = Source(load=lambda _: Raw(("a", "b"), Labelled(images, np.arange(90) % 2)))
        return prepare("mine", source, Request(tmp_path), cache=tmp_path / name)

    small = prepared("small")
    monkeypatch.setattr(arrays, "LARGE", 1)
    large = prepared("large")
    assert large.key == small.key
    assert np.array_equal(large.examples.open(), small.examples.open())
