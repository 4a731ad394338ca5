"""Arrays and Datasets as people have them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from nas_kd.data import source_of
from nas_kd.data.given import raw_of
from nas_kd.data.npz import to_npz
from nas_kd.data.source import Raw, Request
from nas_kd.errors import UnusableData

X = np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8)
Y = np.arange(40) % 4


def read(found: Any) -> Raw:
    return raw_of(found, "data mine", lambda text: None)


class Pictures(Dataset[Any]):
    """A map-style Dataset that counts how often it is read."""

    classes = ("a", "b", "c", "d")

    def __init__(self, x: Any = X, y: Any = Y, noise: float = 0.0) -> None:
        self.x, self.y, self.noise = x, y, noise
        self.reads = 0

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Any:
        self.reads += 1
        image = torch.as_tensor(self.x[index]).float()[None] / 255
        return image + self.noise * torch.randn(image.shape), self.y[index]


def test_arrays_are_taken_in_every_layout() -> None:
    for images, shape in (
        (X, (1, 8, 8)),
        (X[:, None], (1, 8, 8)),
        (np.repeat(X[..., None], 3, -1), (3, 8, 8)),
        (torch.as_tensor(X), (1, 8, 8)),
        (X.astype(np.float64), (1, 8, 8)),
    ):
        raw = read((images, Y))
        assert raw.train.examples_NX.shape == (40, *shape)
        assert raw.train.examples_NX.dtype in (np.uint8, np.float32)
        assert raw.classes == ("0", "1", "2", "3")
        assert raw.train.labels_N.tolist() == Y.tolist()


def test_a_dataset_is_read_once_and_keeps_its_class_names() -> None:
    pictures = Pictures()
    raw = read(pictures)
    assert raw.classes == ("a", "b", "c", "d")
    np.testing.assert_allclose(raw.train.examples_NX[3, 0], X[3] / 255, atol=1e-6)
    assert pictures.reads == 40 + 2 * 4


def test_splits_are_given_as_a_pair_or_by_name() -> None:
    raw = read((Pictures(), Pictures(X[:8], Y[:8])))
    assert raw.test is not None
    assert len(raw.test.labels_N) == 8
    arrays = read(((X, Y), (X[:8], Y[:8])))
    assert arrays.test is not None
    named = read({"train": (X, Y), "validation": (X[:4], Y[:4]), "unlabelled": X[:5]})
    assert named.validation is not None
    assert named.unlabelled_NX is not None
    assert named.unlabelled_NX.shape == (5, 1, 8, 8)
    tensors = read(TensorDataset(torch.as_tensor(X), torch.as_tensor(Y)))
    assert len(tensors.train.labels_N) == 40


def test_arrays_from_python_survive_as_a_file(tmp_path: Path) -> None:
    raw = read({"train": Pictures(), "test": (X[:8] / np.float32(255), Y[:8])})
    path = to_npz(raw, tmp_path)
    again = source_of(f"npz:{path}").load(Request(Path()))
    assert again.classes == ("a", "b", "c", "d")
    assert np.array_equal(again.train.examples_NX, raw.train.examples_NX)
    assert again.test is not None
    assert to_npz(raw, tmp_path) == path
    as_validation = read({"train": Pictures(), "validation": (X[:8] / np.float32(255), Y[:8])})
    assert to_npz(as_validation, tmp_path) != path


@pytest.mark.parametrize("name", ["one.npy", "cut.npz"])
def test_a_file_that_is_no_whole_npz_is_named(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", X=X, y=Y)
    np.save(tmp_path / "one.npy", X)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:-100])
    with pytest.raises(UnusableData, match=f"{name}: cannot be read"):
        source_of(f"npz:{tmp_path / name}").load(Request(Path()))


@pytest.mark.parametrize(
    "names",
    [
        ("X", "y"),
        ("images", "labels"),
        ("x_train", "y_train"),
        ("train_images", "train_labels"),
        ("data", "targets"),
    ],
)
def test_an_npz_is_read_under_the_names_that_people_use(
    names: tuple[str, str], tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **{names[0]: X, names[1]: Y})
    raw = source_of(f"npz:{tmp_path / 'a.npz'}").load(Request(Path()))
    assert len(raw.train.labels_N) == 40


def test_a_test_split_in_an_npz_is_the_test_split(tmp_path: Path) -> None:
    for x, y in (("x_test", "y_test"), ("test_images", "test_labels")):
        np.savez(tmp_path / "a.npz", images=X, labels=Y, **{x: X[:8], y: Y[:8]})
        raw = source_of(f"npz:{tmp_path / 'a.npz'}").load(Request(Path()))
        assert raw.test is not None
        assert len(raw.test.labels_N) == 8


def changed(**changes: Any) -> Any:
    return {"x": X, "y": Y} | changes


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (Pictures(noise=0.1), "random transform"),
        ((X, np.eye(4)[Y]), "one-hot or several labels"),
        ((X, Y + 0.5), "no integers"),
        ((X, np.array([1, "dog"] * 20, object)), "has labels of several kinds"),
        ({"train": (X, Y + 1), "test": (X, Y)}, "has the class 0 in test only"),
        (
            {
                "train": (X, np.array(["cat", "dog"] * 20)),
                "test": (X[:2], np.array(["cat", "cow"])),
            },
            "has the class 'cow' in test only",
        ),
        ((X, Y[:30]), "40 examples and 30 labels"),
        ((X, np.zeros((40, 5, 4))), "boxes or masks"),
        ((X.reshape(40, 2, 2, 4, 4), Y), "has examples of shape \\(2, 2, 4, 4\\)"),
        (Pictures(y=[{"boxes": [1, 2]}] * 40), "boxes"),
        (Pictures(y=[[1] * (n % 3 + 1) for n in range(40)]), "several lengths"),
        ({"training": (X, Y)}, "keys training"),
        (3, "gives int"),
        ("text", "gives str"),
        ((X[:0], Y[:0]), "no training examples"),
        (TensorDataset(torch.as_tensor(X)), "not \\(x, y\\)"),
        ([("some text", 1)] * 8, "has text"),
        ([(np.zeros((4 + n % 2, 4)), n % 2) for n in range(8)], "of 2 shapes"),
    ],
)
def test_what_does_not_fit_says_what_nas_kd_is_for(found: Any, wrong: str) -> None:
    with pytest.raises(UnusableData, match=wrong) as caught:
        read(found)
    assert "data mine" in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (Y + 1, ("1", "2", "3", "4")),
        (Y * 2, ("0", "2", "4", "6")),
        (Y % 2 * 2 - 1, ("-1", "1")),
        (np.array(["cat", "dog"] * 20), ("cat", "dog")),
        (np.array([b"cat", b"dog"] * 20), ("cat", "dog")),
        (np.array(["dog", "cat"] * 20, object), ("cat", "dog")),
        (torch.as_tensor(Y + 1), ("1", "2", "3", "4")),
    ],
)
def test_classes_of_any_names_are_numbered_and_keep_their_names(
    labels: Any, classes: tuple[str, ...]
) -> None:
    said: list[str] = []
    raw = raw_of({"train": (X, labels), "test": (X[:6], labels[:6])}, "mine", said.append)
    assert raw.classes == classes
    assert raw.test is not None
    for part, given in ((raw.train, labels), (raw.test, labels[:6])):
        words = [x.decode() if isinstance(x, bytes) else str(x) for x in np.asarray(given)]
        assert [classes[n] for n in part.labels_N] == words
    assert f"the classes {', '.join(classes)} are numbered from 0" in said


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        ("no_such_module:load", "cannot be called"),
        ("tests.data.test_given:nothing", "cannot be called"),
        ("tests.data.test_given:changed_needs", "cannot be called"),
    ],
)
def test_a_function_that_cannot_be_called_is_named(target: str, wrong: str) -> None:
    with pytest.raises(UnusableData, match=wrong):
        source_of(target).load(Request(Path()))


def test_a_file_that_is_no_npz_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("no arrays")
    for name, wrong in (("a.npz", "cannot be read"), ("b.npz", "cannot be read")):
        with pytest.raises(UnusableData, match=wrong):
            source_of(f"npz:{tmp_path / name}").load(Request(Path()))
    np.savez(tmp_path / "c.npz", pictures=X)
    with pytest.raises(UnusableData, match="has the arrays pictures"):
        source_of(f"npz:{tmp_path / 'c.npz'}").load(Request(Path()))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ((X.astype(str), Y), "has examples of type <U3"),
        ((X.astype(complex), Y), "has examples of type complex128"),
        ((X, np.int64(3)), "has a single value where examples should be"),
        (([[1, 2], [3]], [0, 1]), "is no array"),
        (Pictures(y=Y[:20]), r"fails at example 20 \(IndexError"),
    ],
)
def test_what_is_no_array_of_numbers_is_named(found: Any, message: str) -> None:
    with pytest.raises(UnusableData, match=message):
        read(found)


def test_unlabelled_examples_may_come_as_a_dataset() -> None:
    raw = read({"train": Pictures(), "unlabelled": Pictures()})
    assert raw.unlabelled_NX is not None
    assert raw.unlabelled_NX.shape == (40, 1, 8, 8)


def failing() -> Any:
    raise FileNotFoundError("pictures.bin")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((12, 25), "if they are signals, 25 long with 12 channels: --fix layout=signals"),
        ((25, 12), "if they are signals, 25 long with 12 channels: --fix layout=signals"),
        ((3, 9), "if they are signals, 9 long with 3 channels: --fix layout=signals"),
        ((6, 100), "if they are pictures: --fix layout=pictures"),
        ((8, 8), None),
        ((64, 48), None),
    ],
)
def test_what_arrays_are_taken_for_is_said_with_the_flag_that_decides(
    shape: tuple[int, int], said: str | None
) -> None:
    told: list[str] = []
    raw_of((np.random.default_rng(0).random((40, *shape)), np.arange(40) % 4), "x", told.append)
    assert [text.endswith(said) for text in told] == [True] if said else told == []


def test_labels_far_from_zero_take_no_memory_of_their_size() -> None:
    labels = np.array([0, 1, 2, 300_000_000] * 10)
    raw = raw_of((np.zeros((40, 8, 8), np.uint8), labels), "x", lambda text: None)
    assert raw.classes == ("0", "1", "2", "300000000")


def save(path: Path, **arrays: Any) -> str:
    np.savez(path / "a.npz", **arrays)
    return f"npz:{path / 'a.npz'}"


def test_names_in_an_npz_are_those_of_numbered_classes(tmp_path: Path) -> None:
    x, y = np.zeros((8, 4, 4), np.uint8), np.arange(8) % 2
    name = save(tmp_path, X=x, y=y, classes=np.array(["dog", "cat"]))
    assert source_of(name).load(Request(Path())).classes == ("dog", "cat")
    words = np.array(["dog", "cat"])[y]
    name = save(tmp_path, X=x, y=words, classes=np.array(["dog", "cat"]))
    raw = source_of(name).load(Request(Path()))
    assert [raw.classes[label] for label in raw.train.labels_N] == words.tolist()


@pytest.mark.parametrize(
    ("labels", "classes"),
    [([0, 1], ["a", "b", "c"]), ([0, 1], ["a", "a"]), ([0, 1], [["a", "b"]]), ([0, 1], "a"),
     (["x", "y"], ["a", "b"])],
)  # fmt: skip
def test_names_in_an_npz_that_do_not_fit_are_refused(
    labels: list[Any], classes: Any, tmp_path: Path
) -> None:
    y = np.array(labels)[np.arange(8) % 2]
    name = save(tmp_path, X=np.zeros((8, 4, 4), np.uint8), y=y, classes=np.array(classes))
    with pytest.raises(UnusableData, match="and `classes`"):
        source_of(name).load(Request(Path()))


def test_arrays_of_one_name_but_for_capitals_are_refused(tmp_path: Path) -> None:
    x, y = np.zeros((8, 4, 4), np.uint8), np.arange(8) % 2
    with pytest.raises(UnusableData, match="differ by capital letters alone"):
        source_of(save(tmp_path, X=x, x=x, y=y)).load(Request(Path()))


def test_names_of_a_dataset_that_are_not_used_are_said() -> None:
    class Three(list[Any]):
        classes = ("a", "b", "c")

    told: list[str] = []
    pairs = Three((np.zeros((4, 4), np.uint8), n % 2) for n in range(8))
    assert raw_of(pairs, "x", told.append).classes == ("0", "1")
    assert told == ["the 3 names in .classes are not used: there are 2 classes"]


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((28, 28, 2), 2), ((4, 4, 3), 3), ((3, 28, 28), 3), ((28, 28, 1), 1), ((1, 8, 8), 1)],
)
def test_the_axis_of_the_channels_is_found(shape: tuple[int, ...], channels: int) -> None:
    data = (np.zeros((8, *shape), np.uint8), np.arange(8) % 2)
    assert raw_of(data, "x", lambda text: None).train.examples_NX.shape[1] == channels


def test_a_function_that_fails_is_named_with_its_error() -> None:
    with pytest.raises(UnusableData, match=r"cannot be called \(FileNotFoundError: pictures"):
        source_of("tests.data.test_given:failing").load(Request(Path()))
