"""Prepared data: splits, normalisation, the cache."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas_kd.data import source_of
from nas_kd.data.arrays import ArrayRef
from nas_kd.data.classes import doubts
from nas_kd.data.source import Labelled, Raw, Request, Source
from nas_kd.data.splits import split
from nas_kd.data.transfer import TransferSet, prepare, size
from nas_kd.errors import DataNotHere, UnusableData


def small(count: int = 120, classes: int = 3, **changes: object) -> Raw:
    """Random pictures of a few classes."""
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (count, 2, 6, 6), dtype=np.uint8)
    labels = np.arange(count, dtype=np.int64) % classes
    names = tuple(f"class {n}" for n in range(classes))
    return replace(Raw(classes=names, train=Labelled(images, labels)), **changes)


def source(make: Callable[[], Raw]) -> Source:
    return Source(load=lambda request: make())


def test_splits_are_stratified_seeded_and_do_not_overlap(tmp_path: Path) -> None:
    data = prepare("small", source(small), Request(tmp_path), cache=tmp_path)
    assert [size(r) for r in (data.train, data.validation, data.test)] == [64, 32, 24]
    for rows in (data.train, data.validation, data.test):
        counts = np.bincount(data.labels.open()[slice(*rows)])
        assert counts.max() - counts.min() <= 1
    images = data.examples.open().reshape(120, -1)
    assert len(np.unique(images, axis=0)) == 120
    again = prepare("small", source(small), Request(tmp_path), cache=tmp_path / "other")
    assert again.key == data.key
    other = prepare("small", source(small), Request(tmp_path), split_seed=1, cache=tmp_path)
    assert other.key != data.key


def test_a_set_of_its_own_test_split_keeps_it(tmp_path: Path) -> None:
    own = small(30).train
    raw = small(test=own)
    data = prepare("small", source(lambda: raw), Request(tmp_path), cache=tmp_path)
    assert np.array_equal(data.examples.open()[slice(*data.test)], own.examples_NX)
    assert size(data.validation) == 40


@pytest.mark.parametrize(
    ("examples", "asked", "validation"),
    [(2000, None, 400), (600, None, 160), (120, None, 32), (120, 0.5, 48), (2000, 0.1, 160)],
)
def test_validation_has_a_larger_share_of_few_examples(
    examples: int, asked: float | None, validation: int, tmp_path: Path
) -> None:
    raw, request = small(examples), Request(tmp_path, validation=asked)
    data = prepare("small", source(lambda: raw), request, cache=tmp_path)
    assert size(data.validation) == validation
    own = small(examples, test=small(30).train)
    data = prepare("small", source(lambda: own), request, cache=tmp_path)
    share = asked or max(0.1, min(200 / examples, 1 / 3))
    assert size(data.validation) == pytest.approx(share * examples, abs=1)


def test_a_share_of_data_that_have_a_validation_split_is_refused(tmp_path: Path) -> None:
    raw = small(validation=small(30).train)
    with pytest.raises(UnusableData, match="have a validation split of their own"):
        prepare("small", source(lambda: raw), Request(tmp_path, validation=0.2), cache=tmp_path)


def test_validation_examples_of_one_class_are_named_as_that(tmp_path: Path) -> None:
    one = small(60).train
    raw = small(validation=Labelled(one.examples_NX[:20], np.full(20, 2)))
    with pytest.raises(UnusableData, match="has validation examples of one class alone, 'class 2'"):
        prepare("small", source(lambda: raw), Request(tmp_path), cache=tmp_path)


def test_splits_that_lack_a_class_are_doubted(tmp_path: Path) -> None:
    part = small(600).train
    rows = np.flatnonzero(part.labels_N < 2)
    raw = small(validation=Labelled(part.examples_NX[rows], part.labels_N[rows]))
    data = prepare("small", source(lambda: raw), Request(tmp_path), cache=tmp_path)
    (found,) = (what for about, what, _ in doubts(data) if about == "classes")
    assert found == "validation has no example of 'class 2'"


def test_normalisation_comes_from_the_training_split_only(tmp_path: Path) -> None:
    data = prepare("small", source(small), Request(tmp_path), cache=tmp_path)
    train = data.examples.open()[slice(*data.train)].astype(float)
    np.testing.assert_allclose(data.mean, train.mean((0, 2, 3)))
    np.testing.assert_allclose(data.std, train.std((0, 2, 3)))


def test_unlabelled_examples_join_the_transfer_set_without_a_label(tmp_path: Path) -> None:
    raw = small(unlabelled_NX=small(50).train.examples_NX)
    data = prepare("small", source(lambda: raw), Request(tmp_path), cache=tmp_path)
    labels = data.labels.open()[slice(*data.train)]
    assert (labels == -1).sum() == 50
    assert size(data.labelled) == 64
    assert data.teacher == data.labelled


def test_a_teacher_gets_its_own_examples_where_there_are_some(tmp_path: Path) -> None:
    raw = small(teacher=small(60).train)
    data = prepare("small", source(lambda: raw), Request(tmp_path), cache=tmp_path)
    assert size(data.teacher) == 60
    assert data.teacher[0] >= data.test[1]


def test_the_record_survives_json(tmp_path: Path) -> None:
    data = prepare("small", source(small), Request(tmp_path), views=3, cache=tmp_path)
    assert TransferSet.from_json(data.to_json()) == data


def test_a_fixed_source_is_loaded_once(tmp_path: Path) -> None:
    loads = []

    def load(request: Request) -> Raw:
        loads.append(request)
        return small()

    fixed = Source(load=load, fixed=True)
    first = prepare("small", fixed, Request(tmp_path), cache=tmp_path)
    second = prepare("small", fixed, Request(tmp_path), cache=tmp_path)
    assert first == second
    assert len(loads) == 1


def bad_labels() -> Raw:
    raw = small()
    return replace(raw, train=Labelled(raw.train.examples_NX, raw.train.labels_N + 5))


def bad_shape() -> Raw:
    raw = small()
    return replace(raw, train=Labelled(raw.train.examples_NX[:, 0, 0, 0], raw.train.labels_N))


def bad_values() -> Raw:
    raw = small()
    images = raw.train.examples_NX.astype(np.float32)
    images[3, 0, 0, 0] = np.nan
    return replace(raw, train=Labelled(images, raw.train.labels_N))


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (bad_labels, "labels 5 to 7 for 3 classes"),
        (bad_shape, r"examples \(120,\)"),
        (bad_values, "NaN"),
        (lambda: small(6), "only 2 examples of class 'class 0'"),
        (lambda: small(20, classes=1), "1 classes"),
    ],
)
def test_data_of_the_wrong_form_are_named(
    make: Callable[[], Raw], wrong: str, tmp_path: Path
) -> None:
    with pytest.raises(UnusableData, match=wrong):
        prepare("small", source(make), Request(tmp_path), cache=tmp_path)


@pytest.mark.parametrize("name", ["digits", "npz:mine.npz", "mine:load", "csv:mine.csv"])
def test_a_number_of_unlabelled_examples_is_for_sources_that_make_them(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(UnusableData, match="makes no unlabelled examples"):
        prepare(name, source_of(name), Request(tmp_path, unlabelled=5), cache=tmp_path)


def test_an_array_that_is_not_here_names_itself_and_the_host(tmp_path: Path) -> None:
    array = ArrayRef.save(np.zeros(3), tmp_path / "zeros.npy")
    (tmp_path / "zeros.npy").unlink()
    with pytest.raises(DataNotHere, match=r"zeros\.npy"):
        array.open()


def test_splits_of_different_forms_are_refused(tmp_path: Path) -> None:
    raw = small()
    floats = Labelled(raw.train.examples_NX.astype(np.float32) / 255, raw.train.labels_N)
    grey = Labelled(raw.train.examples_NX[:, :, :4], raw.train.labels_N)
    for other, message in ((floats, "float32 in test"), (grey, "in test")):
        source = Source(load=lambda _, other=other: replace(raw, test=other))
        with pytest.raises(UnusableData, match=message):
            prepare("mine", source, Request(tmp_path), cache=tmp_path)


def test_columns_are_named_of_tables_only(tmp_path: Path) -> None:
    source = Source(load=lambda _: small())
    with pytest.raises(UnusableData, match="--group: is for tables"):
        prepare("mine", source, Request(tmp_path, group="patient"), cache=tmp_path)


@pytest.mark.parametrize(("classes", "own_test"), [(10, False), (2, True), (100, True)])
def test_four_examples_of_each_class_are_enough(classes: int, own_test: bool) -> None:
    labels = np.arange(4 * classes) % classes
    part = Labelled(np.zeros((len(labels), 1, 4, 4), np.uint8), labels)
    raw = Raw(tuple(map(str, range(classes))), part, test=part if own_test else None)
    parts = split(raw, 0)
    for name in ("train", "validation"):
        assert set(parts[name].labels().tolist()) == set(range(classes))


def test_few_groups_of_few_examples_are_parted() -> None:
    labels = np.arange(12) % 3
    part = Labelled(np.zeros((12, 1, 4, 4), np.uint8), labels, np.arange(12))
    parts = split(Raw(("a", "b", "c"), part), 0)
    assert sum(len(parts[name].labels()) for name in ("train", "validation", "test")) == 12
    assert min(len(one.labels()) for one in parts.values()) > 0


@pytest.mark.parametrize("share", [0.95, 0.99])
def test_a_share_that_leaves_nothing_to_learn_from_is_refused(share: float, tmp_path: Path) -> None:
    raw = small(40, test=small(30).train)
    with pytest.raises(
        UnusableData, match=f"validation = {share}: leaves fewer training examples than classes"
    ):
        prepare("small", source(lambda: raw), Request(tmp_path, validation=share), cache=tmp_path)


def test_examples_without_values_are_refused(tmp_path: Path) -> None:
    raw = Raw(("a", "b"), Labelled(np.zeros((40, 0), np.float32), np.arange(40) % 2))
    with pytest.raises(UnusableData, match=r"has examples \(40, 0\)"):
        prepare("small", source(lambda: raw), Request(tmp_path), cache=tmp_path)
