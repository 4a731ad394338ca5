"""Examples of some classes are left out of every split; the others keep where they came from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nas_kd.data import source_of
from nas_kd.data.leaving_out import without
from nas_kd.data.source import Labelled, Raw, Request
from nas_kd.data.transfer import prepare
from nas_kd.errors import UnusableData

X = np.arange(24, dtype=np.float32).reshape(12, 2)


def raw() -> Raw:
    train = Labelled(X, np.arange(12) % 4, np.arange(12) // 2)
    test = Labelled(X[:4] + 100, np.array([3, 2, 1, 1]))
    ids = {"train": np.array([f"p{n}" for n in range(12)])}
    return Raw(("a", "b", "c", "d"), train, test, ids=ids)


def test_the_others_are_numbered_anew_and_keep_their_rows() -> None:
    told: list[str] = []
    left = without(raw(), ["b", "d"], told.append)
    assert left.classes == ("a", "c")
    assert left.train.labels_N.tolist() == [0, 1] * 3
    assert left.train.examples_NX.tolist() == X[::2].tolist()
    assert left.train.groups_N is not None
    assert left.train.groups_N.tolist() == [0, 1, 2, 3, 4, 5]
    assert left.numbers["train"].tolist() == [0, 2, 4, 6, 8, 10]
    assert left.ids["train"].tolist() == ["p0", "p2", "p4", "p6", "p8", "p10"]
    assert left.test is not None
    assert left.test.labels_N.tolist() == [1]
    assert told == ["left out, examples of 'b', 'd': 9"]


def test_without_names_nothing_is_left_out() -> None:
    data = raw()
    assert without(data, [], print) is data


def test_labels_that_are_none_are_named_before_anything_is_left_out() -> None:
    odd = replace(raw(), test=Labelled(X[:2], np.array([-1, 2])))
    with pytest.raises(UnusableData, match="has labels -1 to 2 in test"):
        without(odd, ["a"], print)
    with pytest.raises(UnusableData, match="leaves out all but 1 of the classes"):
        without(raw(), ["a", "b", "c"], print)


def test_a_class_that_is_none_is_named() -> None:
    with pytest.raises(UnusableData, match="drop_classes 'A': is no class"):
        without(raw(), ["A"], print)


def test_a_class_of_one_row_is_named_with_what_leaves_it_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.linspace(0, 1, 81), "y": ["a", "b"] * 40 + ["it's"]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    name = f"csv:{tmp_path / 't.csv'}"
    with pytest.raises(UnusableData, match="only one example of class") as caught:
        prepare(name, source_of(name), Request(tmp_path, label="y"), cache=tmp_path)
    assert """--drop-class 'it'"'"'s'""" in str(caught.value)
    asked = Request(tmp_path, label="y", drop_classes=("it's",))
    data = prepare(name, source_of(name), asked, cache=tmp_path)
    assert data.classes == ("a", "b")
    rows = data.origin.as_read(slice(*data.test))
    assert {*rows["y"]} == {"a", "b"}
