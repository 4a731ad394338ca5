"""Examples without labels: the user's own join the transfer set, and whole studies have none."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nas_kd.data import source_of
from nas_kd.data.classes import doubts
from nas_kd.data.source import Request
from nas_kd.data.transfer import TransferSet, prepare, size
from nas_kd.errors import InvalidSpec, UnusableData
from nas_kd.spec import StudySpec


def ready(data: str, **asked: Any) -> TransferSet:
    """Prepared data."""
    return prepare(data, source_of(data), Request(Path(), **asked))


@pytest.fixture
def signals(tmp_path: Path) -> Path:
    """Signals with labels, and further ones without."""
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 2, 24)).astype(np.float32)
    np.savez(tmp_path / "signals.npz", X=X, y=np.arange(300) % 3)
    np.savez(tmp_path / "more.npz", X=X[:50] + 1, y=np.zeros(50))
    return tmp_path / "signals.npz"


def test_arrays_of_an_npz_join_the_transfer_set(signals: Path) -> None:
    said: list[str] = []
    more = signals.with_name("more.npz")
    plain = ready(f"npz:{signals}")
    data = ready(f"npz:{signals}", unlabelled=f"npz:{more}", tell=said.append)
    assert size(data.train) == size(plain.train) + 50
    assert size(data.validation) == size(plain.validation)
    rows = slice(data.labelled[1], data.train[1])
    assert (data.labels.open()[rows] == -1).all()
    np.testing.assert_array_equal(data.examples.open()[rows], np.load(more)["X"])
    assert f"50 unlabelled examples from npz:{more}" in said
    assert "not used, of more.npz: y" in said


def test_changed_unlabelled_examples_are_read_again(signals: Path) -> None:
    more = signals.with_name("more.npz")
    first = ready(f"npz:{signals}", unlabelled=f"npz:{more}")
    np.savez(more, X=np.load(more)["X"][:40])
    assert size(ready(f"npz:{signals}", unlabelled=f"npz:{more}").train) == size(first.train) - 10


def test_a_folder_of_pictures_is_made_as_the_data_are(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(40):
        for name in "ab":
            place = tmp_path / "pictures" / name
            place.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 255, (12, 12), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{number}.png")
    (tmp_path / "more" / "deep").mkdir(parents=True)
    Image.fromarray(np.full((30, 20, 3), 200, np.uint8)).save(tmp_path / "more" / "deep" / "x.jpg")
    (tmp_path / "more" / "notes.txt").write_text("no picture")
    said: list[str] = []
    data = ready(
        f"imagefolder:{tmp_path}/pictures", image_size=12, tell=said.append,
        unlabelled=f"imagefolder:{tmp_path}/more",
    )  # fmt: skip
    last = data.train[1] - 1
    assert data.input_shape == (1, 12, 12)
    assert (data.examples.open()[last] > 190).all()
    assert data.origin.ids is not None
    assert data.origin.ids.open()[last] == "deep/x.jpg"
    assert any("no pictures by their names" in text for text in said)
    assert any("1 unlabelled pictures are not square" in text for text in said)


def test_rows_of_another_table_are_encoded_as_the_data_are(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"n": np.arange(60.0) % 7, "word": ["x", "y", "z"] * 20, "label": ["a", "b"] * 30}
    )
    frame.to_csv(tmp_path / "data.csv", index=False)
    more = pd.DataFrame({"id": [1, 2], "word": ["z", "new"], "n": [3.0, None]})
    more.to_csv(tmp_path / "more.csv", index=False)
    said: list[str] = []
    unlabelled = f"csv:{tmp_path}/more.csv"
    data = ready(f"csv:{tmp_path}/data.csv", unlabelled=unlabelled, tell=said.append)
    rows = slice(data.labelled[1], data.train[1])
    features = [name for column in data.columns for name in column.features]
    assert features == ["n", "word = x", "word = y", "word = z"]
    np.testing.assert_array_equal(data.examples.open()[rows][:, 1:], [[0, 0, 1], [0, 0, 0]])
    assert f"2 unlabelled rows from {tmp_path}/more.csv; not used: id" in said
    read = data.origin.as_read(rows)
    assert read["word"].tolist() == ["z", "new"]
    assert read["id"].tolist() == [1, 2]
    assert data.origin.length == 62


def test_words_in_a_column_of_numbers_are_counted(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": np.arange(60.0) % 7, "label": ["a", "b"] * 30})
    frame.to_csv(tmp_path / "data.csv", index=False)
    (tmp_path / "more.csv").write_text("n\noops\n3\n")
    said: list[str] = []
    unlabelled = f"csv:{tmp_path}/more.csv"
    ready(f"csv:{tmp_path}/data.csv", unlabelled=unlabelled, tell=said.append)
    assert any("'n' of the unlabelled rows has 1 cells that are no numbers" in text
               for text in said)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ("csv:more.csv", "is a table, and the data are none"),
        ("npz:odd.npz", r"has examples \(2, 9\) float32, and those of the data are \(2, 24\)"),
        ("npz:several.npz", "has the arrays a, b"),
        ("npz:nowhere.npz", "cannot be read"),
        ("imagefolder:more", "is a folder of pictures, and the data are float32"),
        ("no_such_module:more", "cannot be called"),
    ],
)
def test_unlabelled_examples_of_another_form_are_named(
    given: str, wrong: str, signals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(signals.parent)
    np.savez("odd.npz", X=np.zeros((4, 2, 9), np.float32))
    np.savez("several.npz", a=np.zeros(3), b=np.zeros(3))
    Path("more.csv").write_text("a,b\n1,2\n")
    Path("more").mkdir()
    with pytest.raises(UnusableData, match=wrong):
        ready(f"npz:{signals}", unlabelled=given)


def test_a_place_is_named_by_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    spec = StudySpec.create({"budget": "2k", "unlabelled": str(tmp_path / "pictures")})
    assert spec.unlabelled == f"imagefolder:{tmp_path}/pictures"
    assert StudySpec.create({"budget": "2k", "unlabelled": f"{tmp_path}/a.csv"}).unlabelled == (
        f"csv:{tmp_path}/a.csv"
    )
    with pytest.raises(InvalidSpec, match="is no number and no place"):
        StudySpec.create({"budget": "2k", "unlabelled": "somewhere"})


def test_data_without_labels_are_split_at_random_and_have_the_teachers_classes(
    tmp_path: Path,
) -> None:
    X = np.random.default_rng(0).normal(size=(400, 2, 24)).astype(np.float32)
    np.savez(tmp_path / "plain.npz", X=X)
    data = ready(f"npz:{tmp_path}/plain.npz", teacher_classes=("cat", "dog"))
    assert data.classes == ("cat", "dog")
    assert (data.labels.open() == -1).all()
    assert size(data.train) + size(data.validation) + size(data.test) == 400


def test_labels_that_are_there_are_not_used_where_the_teacher_says_the_classes(
    tmp_path: Path, signals: Path
) -> None:
    said: list[str] = []
    data = ready(f"npz:{signals}", teacher_classes=("0", "1", "2"), tell=said.append)
    assert (data.labels.open() == -1).all()
    assert "not used, since the data are to have no labels: y" in said
    frame = pd.DataFrame({"a": np.arange(60.0) % 7, "b": np.arange(60.0) % 5, "label": ["x"] * 60})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    table = ready(f"csv:{tmp_path}/rows.csv", teacher_classes=("u", "v"), tell=said.append)
    assert [column.name for column in table.columns] == ["a", "b"]
    assert "column 'label' is taken for labels, which are not used" in said
    digits = ready("digits", teacher_classes=tuple("0123456789"))
    assert (digits.labels.open() == -1).all()


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"alpha": 0.5}, "alpha: must be 1 without labels"),
        ({"metric": "accuracy"}, "metric: must be agreement without labels"),
        ({"teacher": "train"}, "teacher: without labels none can be trained"),
        ({"class_weights": "balanced"}, "class_weights: must be none without labels"),
        ({"teacher_classes": 1}, "teacher_classes: must be two classes or more"),
    ],
)
def test_what_needs_labels_is_refused_without_them(settings: dict[str, Any], wrong: str) -> None:
    given = {"budget": "2k", "teacher": "mine:net", "teacher_classes": 3} | settings
    with pytest.raises(InvalidSpec, match=wrong):
        StudySpec.create(given)


def test_judged_examples_among_the_unlabelled_ones_are_counted(signals: Path) -> None:
    plain = ready(f"npz:{signals}")
    every = np.concatenate([plain.examples.open()[slice(*rows)]
                            for rows in (plain.validation, plain.test)])  # fmt: skip
    np.savez(signals.with_name("more.npz"), X=every)
    data = ready(f"npz:{signals}", unlabelled=f"npz:{signals.with_name('more.npz')}")
    said = [text for about, text, _ in doubts(data) if about == "splits"]
    wrong = f"{len(every)} validation and test examples are among the unlabelled ones"
    assert wrong in said
    assert not any("unlabelled" in text for _, text, _ in doubts(plain))
