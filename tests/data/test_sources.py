"""Every source keeps the contract; files that are absent are named."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from nas_kd.data import SOURCES, source_of
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare, size
from nas_kd.errors import UnusableData

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize(("name", "unlabelled"), [("digits", 0), ("glyphs", 100)])
def test_a_source_without_files_gives_what_it_says(name: str, unlabelled: int) -> None:
    data = prepare(name, SOURCES[name], Request(Path(), unlabelled=unlabelled))
    labels = data.labels.open()
    for rows in (data.labelled, data.validation, data.test, data.teacher):
        assert set(labels[slice(*rows)].tolist()) == set(range(len(data.classes)))
    assert len(data.input_shape) == 3
    if name == "glyphs":
        sizes = (data.teacher, data.train, data.labelled, data.validation, data.test)
        assert [size(rows) for rows in sizes] == [20_000, 6_100, 6_000, 4_000, 10_000]


@pytest.mark.skipif(not SHARED.exists(), reason=f"needs MNIST's files in {SHARED}")
def test_mnist_is_read_where_its_files_lie(tmp_path: Path) -> None:
    data = prepare("mnist", SOURCES["mnist"], Request(SHARED), cache=tmp_path)
    assert [size(r) for r in (data.train, data.validation, data.test)] == [54_000, 6_000, 10_000]
    assert data.input_shape == (1, 28, 28)
    labels = data.labels.open()[slice(*data.test)]
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "cifar100"])
def test_files_that_are_absent_name_the_flag(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    with pytest.raises(UnusableData, match="--data-root"):
        SOURCES[name].load(Request(tmp_path))


def test_an_npz_that_claims_more_than_memory_has_is_no_bug(tmp_path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 8, 8), }"
    header = header.ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("X.npy", content)
    with pytest.raises(UnusableData, match="cannot be read"):
        source_of(f"npz:{tmp_path / 'a.npz'}").load(Request(tmp_path))
