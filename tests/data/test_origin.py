"""Every prepared row knows where it came from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nas_kd.data import SOURCES, source_of
from nas_kd.data.origin import SPLITS
from nas_kd.data.source import Labelled, Raw, Request, Source
from nas_kd.data.transfer import TransferSet, prepare
from nas_kd.errors import UnusableData


def prepared(name: str, folder: Path, seed: int = 0) -> TransferSet:
    return prepare(name, source_of(name), Request(folder), split_seed=seed)


def test_the_numbers_of_a_heap_are_those_of_its_examples_and_each_comes_once(
    tmp_path: Path,
) -> None:
    digits = SOURCES["digits"].load(Request(tmp_path)).train
    data = prepared("digits", tmp_path, seed=3)
    split_N, number_N = data.origin.rows.open().T
    assert (split_N == SPLITS.index("train")).all()
    assert sorted(number_N) == list(range(len(digits.labels_N)))
    assert np.array_equal(data.examples.open(), digits.examples_NX[number_N])
    assert np.array_equal(data.labels.open(), digits.labels_N[number_N])


def test_rows_of_a_sources_own_splits_name_them(tmp_path: Path) -> None:
    def part(count: int, value: int) -> Labelled:
        return Labelled(np.full((count, 1, 4, 4), value, np.uint8), np.arange(count) % 2)

    raw = Raw(("a", "b"), part(40, 1), part(8, 2), unlabelled_NX=part(6, 3).examples_NX)
    data = prepare("mine", Source(lambda request: raw), Request(tmp_path))
    split_N = data.origin.rows.open()[:, 0]
    for split, value in (("train", 1), ("test", 2), ("unlabelled", 3)):
        mine = split_N == SPLITS.index(split)
        assert (data.examples.open()[mine] == value).all()
        assert sorted(data.origin.rows.open()[mine, 1]) == list(range(mine.sum()))
    assert {*split_N[slice(*data.validation)]} == {SPLITS.index("train")}


def test_a_row_of_a_table_is_there_as_it_was_read_whatever_the_file_is_by_now(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "size": rng.integers(0, 100, 60), "kind": rng.choice(["nut", "bolt"], 60),
        "ticket": [f"T-{n}" for n in range(60)], "label": rng.choice(["good", "bad"], 60),
    })  # fmt: skip
    frame.loc[[3, 30], "label"] = None
    frame.loc[7, "size"] = None
    path = tmp_path / "parts.csv"
    frame.to_csv(path, index=False)
    data = prepared(f"csv:{path}", tmp_path)
    path.unlink()
    number_N = data.origin.rows.open()[:, 1]
    assert sorted(number_N) == list(range(60))
    read = data.origin.as_read(slice(*data.train))
    expected = frame.iloc[number_N[slice(*data.train)]].reset_index(drop=True)
    pd.testing.assert_frame_equal(read, expected, check_dtype=False)
    labels = data.labels.open()[slice(*data.train)]
    classes = [data.classes[label] if label >= 0 else None for label in labels]
    assert [None if pd.isna(text) else text for text in read["label"]] == classes


def test_a_packed_file_is_kept_under_a_name_that_it_is_read_by_and_with_its_rights(
    tmp_path: Path,
) -> None:
    frame = pd.DataFrame(
        {"size": [2 * (n % 59) for n in range(60)], "label": [n % 2 for n in range(60)]}
    )
    path = tmp_path / "parts.csv.gz"
    frame.to_csv(path, index=False)
    path.chmod(0o600)
    data = prepared(f"csv:{path}", tmp_path)
    ((_, copy),) = data.origin.tables
    assert Path(copy).stat().st_mode & 0o777 == 0o600
    numbers = data.origin.rows.open()[:5, 1].tolist()
    assert data.origin.as_read(slice(0, 5))["size"].tolist() == [2 * (n % 59) for n in numbers]


def test_of_a_folder_of_parquet_no_rows_are_kept(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"size": [2 * (n % 59) for n in range(60)], "label": [n % 2 for n in range(60)]}
    )
    frame.to_parquet(tmp_path / "parts", partition_cols=["label"])
    data = prepared(f"parquet:{tmp_path / 'parts'}", tmp_path)
    with pytest.raises(UnusableData, match="where that is a file"):
        data.origin.as_read(slice(0, 1))


def test_a_table_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "parts.csv"
    path.write_text("size,label\n" + "1,0\n2,1\n" * 20)
    monkeypatch.setattr("nas_kd.data.table.modified", lambda file: 1)
    with pytest.raises(UnusableData, match="changed while it was read"):
        prepared(f"csv:{path}", tmp_path)


def test_pictures_are_called_by_their_paths(tmp_path: Path) -> None:
    shades: dict[str, int] = {}
    for number in range(40):
        name = f"{'cat' if number % 2 else 'dog'}/{number:02}.png"
        shades[name] = 5 * number
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (32, 32), 5 * number).save(tmp_path / name)
    data = prepared(f"imagefolder:{tmp_path}", tmp_path)
    assert data.origin.ids is not None
    ids = data.origin.ids.open()
    assert [shades[name] for name in ids] == data.examples.open()[:, 0, 0, 0].tolist()


def test_data_that_are_no_table_have_no_rows_as_read(tmp_path: Path) -> None:
    with pytest.raises(UnusableData, match="have no rows of a table"):
        prepared("digits", tmp_path).origin.as_read(slice(0, 1))


def test_the_origin_survives_json(tmp_path: Path) -> None:
    data = prepared("digits", tmp_path)
    again = TransferSet.from_json(data.to_json())
    assert again == data
