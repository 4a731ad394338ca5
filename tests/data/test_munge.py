"""Synthetic rows: between rows that are alike, in their columns' ranges, and as they are read."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nas_kd.data import source_of
from nas_kd.data.munge import munge
from nas_kd.data.source import Request
from nas_kd.data.transfer import TransferSet, prepare, size
from nas_kd.errors import UnusableData


def ready(data: str, **asked: Any) -> TransferSet:
    """Prepared data."""
    return prepare(data, source_of(data), Request(Path(), **asked))


def test_a_synthetic_row_lies_between_an_example_and_its_neighbour() -> None:
    random = np.random.default_rng(0)
    groups = random.integers(0, 2, 400)
    rows = np.stack([100 * groups + random.normal(size=400), groups.astype(float)], 1)
    nominal = np.array([False, True])
    made, base = munge(rows, nominal, rows.astype(np.float32), 1000, 0)
    assert made.shape == (1000, 2)
    assert np.array_equal(np.sort(base)[:5], [0, 0, 0, 1, 1]) or len(np.unique(base)) == 400
    assert (np.abs(made[:, 0] - 100 * made[:, 1]) < 8).all(), "no row mixes the two groups"
    changed = (made != rows[base]).mean(0)
    assert 0.35 < changed[0] < 0.65
    again, _ = munge(rows, nominal, rows.astype(np.float32), 1000, 0)
    assert np.array_equal(made, again)


def test_whole_numbers_stay_whole_and_missing_ones_are_swapped() -> None:
    random = np.random.default_rng(1)
    rows = np.stack([random.integers(0, 9, 200).astype(float), random.normal(size=200)], 1)
    rows[::5, 1] = np.nan
    features = np.nan_to_num(rows).astype(np.float32)
    made, _ = munge(rows, np.array([False, False]), features, 600, 0)
    assert (made[:, 0] % 1 == 0).all()
    assert made[:, 0].min() >= 0
    assert made[:, 0].max() <= 8
    assert 0.1 < np.isnan(made[:, 1]).mean() < 0.3


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A table with words, dates, gaps and a column that is left out."""
    random = np.random.default_rng(0)
    days = pd.date_range("2020-01-01", periods=200).strftime("%Y-%m-%d")
    frame = pd.DataFrame({
        "name": [f"n{number}" for number in range(200)], "age": random.integers(18, 90, 200),
        "height": random.normal(170, 9, 200).round(1),
        "colour": random.choice(["red", "blue"], 200),
        "since": random.permutation(days), "label": random.choice(["a", "b"], 200),
    })  # fmt: skip
    frame.loc[::9, "height"] = np.nan
    frame.loc[::11, "colour"] = None
    frame.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"


def test_synthetic_rows_join_the_transfer_set_and_can_be_read_as_rows(people: Path) -> None:
    said: list[str] = []
    data = ready(f"csv:{people}", munge=2, tell=said.append)
    labelled = size(data.labelled)
    assert size(data.train) == 3 * labelled
    rows = slice(data.labelled[1], data.train[1])
    assert (data.labels.open()[rows] == -1).all()
    assert f"{2 * labelled:,} synthetic rows by MUNGE join the transfer set, without labels" in said
    frame = data.origin.as_read(rows)
    assert list(frame.columns) == list(pd.read_csv(people).columns)
    assert (frame["age"].astype(float) % 1 == 0).all()
    assert set(frame["colour"].dropna()) == {"red", "blue"}
    from nas_kd.data.columns import encode_frame

    encoded = encode_frame(frame, data.columns)
    np.testing.assert_allclose(encoded, data.examples.open()[rows], rtol=1e-5)
    every = data.origin.as_read(slice(*data.validation))
    assert len(every) == size(data.validation)


def test_only_the_transfer_set_is_mixed(people: Path) -> None:
    frame = pd.read_csv(people)
    data = ready(f"csv:{people}", munge=1)
    made = data.origin.as_read(slice(data.labelled[1], data.train[1]))
    train = set(data.origin.rows.open()[slice(*data.labelled), 1].tolist())
    names = {name: number for number, name in enumerate(frame["name"])}
    assert {names[name] for name in made["name"]} <= train


def test_arrays_of_features_are_mixed_and_pictures_are_not(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "f.npz", X=random.normal(size=(200, 6)).astype(np.float32),
             y=np.arange(200) % 2)  # fmt: skip
    data = ready(f"npz:{tmp_path}/f.npz", munge=0.5)
    assert size(data.train) == round(1.5 * size(data.labelled))
    assert data.examples.dtype == "float32"
    with pytest.raises(UnusableData, match="data 'digits' are no table"):
        ready("digits", munge=1)


def test_synthetic_rows_have_the_types_of_those_that_were_read(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    random = np.random.default_rng(0)
    frame = pd.DataFrame({
        "code": random.choice(["x1", "01", "2"], 200), "flag": random.random(200) > 0.5,
        "when": pd.date_range("2020-01-01", periods=200, freq="D"),
        "kind": pd.Categorical(random.choice(["1", "2"], 200)),
        "count": random.integers(0, 9, 200), "x": random.normal(size=200),
        "label": random.choice(["a", "b"], 200),
    })  # fmt: skip
    frame.to_parquet(tmp_path / "rows.parquet")
    data = ready(f"parquet:{tmp_path}/rows.parquet", munge=1)
    read = data.origin.as_read(slice(*data.train))
    assert dict(read.dtypes) == dict(pd.read_parquet(tmp_path / "rows.parquet").dtypes)
    assert set(read["code"]) == {"x1", "01", "2"}
    assert data.origin.length == 200


def test_text_of_a_csv_stays_text_in_its_synthetic_rows(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    codes = random.choice(["01", "x", "02"], 120)
    frame = pd.DataFrame({"code": codes, "n": random.normal(size=120),
                          "label": random.choice(["a", "b"], 120)})  # fmt: skip
    frame.to_csv(tmp_path / "rows.csv", index=False)
    data = ready(f"csv:{tmp_path}/rows.csv", munge=1)
    assert set(data.origin.as_read(slice(*data.train))["code"]) == {"01", "x", "02"}
    with pytest.raises(UnusableData, match="makes no row"):
        ready(f"csv:{tmp_path}/rows.csv", munge=0.0001)
