"""Cutting splits: stratified, seeded, and never touching a test split that the set has."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.arrays import PIECE, release
from nas_kd.data.source import UNLABELLED, Examples, Labelled, Labels, Raw
from nas_kd.errors import UnusableData

OF_ONE = 0.2
"""Share of all examples that validation and test each get where the set is a single heap."""

OF_TRAIN = 0.1
"""Share of the training examples that validation gets where the set has its own test split."""

ENOUGH, MOST = 200, 1 / 3
"""Validation has ENOUGH examples, or MOST of them all, where its usual share is fewer."""


LEAST, LEAST_GROUPS = 4, 10
"""Training examples of a class, and groups, that splits need."""


def check(name: str, raw: Raw) -> None:
    """Raise UnusableData where the arrays are not examples with one class each."""
    given = f"data {name!r}"
    expect_form(given, raw)
    if raw.labelled:
        expect_labels(given, raw)
        expect_enough(given, raw)
    expect_alike(given, raw)
    images = raw.train.examples_NX
    most = np.finfo(np.float32).max
    broken = (lambda x: np.abs(x) > most) if raw.table else lambda x: ~np.isfinite(x)
    if images.dtype.kind == "f" and broken(images).any():
        kinds = "infinite, or too large for 32 bits" if raw.table else "NaN, infinite, or too large"
        where = ""
        if raw.table:
            places = np.flatnonzero(broken(images).any(0))
            where = f" in the column{'s' * (len(places) > 1)} "
            where += ", ".join(repr(raw.table.names[place]) for place in places[:5])
        wrong = f"has values that are {kinds}{where}"
        raise UnusableData(given, wrong, "Remove or fill them.")


def expect_form(given: str, raw: Raw) -> None:
    """Raise UnusableData for training examples that are no labelled pictures, signals or rows."""
    images, labels = raw.train.examples_NX, raw.train.labels_N
    right = "Give pictures [N, C, H, W], signals [N, C, L] or a table [N, F], labels from 0."
    shaped = images.ndim in (2, 3, 4) and 0 not in images.shape[1:]
    if not shaped or labels.ndim != 1 or len(images) != len(labels):
        wrong = f"has examples {images.shape} and labels {labels.shape}"
        raise UnusableData(given, wrong, right)
    if not len(labels):
        raise UnusableData(given, "has no training examples", right)
    if not raw.labelled:
        return
    if labels.min() < 0 or labels.max() >= len(raw.classes) or len(raw.classes) < 2:
        wrong = f"has labels {labels.min()} to {labels.max()} for {len(raw.classes)} classes"
        raise UnusableData(given, wrong, right)


def expect_labels(given: str, raw: Raw) -> None:
    """Raise UnusableData for a split without examples, or of other classes than train's."""
    for split in ("validation", "test", "teacher"):
        part = getattr(raw, split)
        if part is None:
            continue
        if len(part.labels_N) == 0:
            right = "Fill it, or take it out: what is missing is cut from the training examples."
            raise UnusableData(given, f"has a split {split} without examples", right)
        if part.labels_N.min() < 0 or part.labels_N.max() >= len(raw.classes):
            wrong = f"has labels {part.labels_N.min()} to {part.labels_N.max()} in {split}"
            right = f"Training has the {len(raw.classes)} classes 0 to {len(raw.classes) - 1}."
            raise UnusableData(given, wrong, right)


def expect_enough(given: str, raw: Raw) -> None:
    """Raise UnusableData for too few examples of a class, or too few groups, to be split."""
    counts = np.bincount(raw.train.labels_N, minlength=len(raw.classes))
    if counts.min() < LEAST:
        rare = raw.classes[int(counts.argmin())]
        few = [name for name, count in zip(raw.classes, counts, strict=True) if count < LEAST]
        others = f", and {len(few) - 1} more such classes" if len(few) > 1 else ""
        some = f"{counts.min()} examples" if counts.min() > 1 else "one example"
        names = " ".join(f"--drop-class {shlex.quote(name)}" for name in few[:8])
        right = (
            f"Each class needs {LEAST}, for each split has some: leave its examples out with "
            f"{names}, join classes, or gather more."
        )
        raise UnusableData(given, f"has only {some} of class {rare!r}{others}", right)
    groups = raw.train.groups_N
    if groups is not None and (found := len(np.unique(groups))) < LEAST_GROUPS:
        right = f"Splits that part no group need {LEAST_GROUPS} of them."
        raise UnusableData(given, f"has only {found} groups", right)


def expect_alike(given: str, raw: Raw) -> None:
    """Raise UnusableData unless all parts have examples of one shape and type, without NaN."""
    train = raw.train.examples_NX
    others = {n: getattr(raw, n) for n in ("validation", "test", "teacher")}
    arrays = {name: part.examples_NX for name, part in others.items() if part is not None}
    if raw.unlabelled_NX is not None:
        arrays["unlabelled"] = raw.unlabelled_NX
    for name, array in arrays.items():
        mine, theirs = ((x.shape[1:], str(x.dtype)) for x in (train, array))
        if mine != theirs:
            wrong = f"has examples {mine[0]} {mine[1]} in train, {theirs[0]} {theirs[1]} in {name}"
            raise UnusableData(given, wrong, "Give all splits in one form.")
        if raw.table is None and array.dtype.kind == "f" and not np.isfinite(array).all():
            wrong = f"has values that are NaN, infinite, or too large, in {name}"
            raise UnusableData(given, wrong, "Remove or fill them.")


def expect_classes(name: str, parts: Mapping[str, "Part"], classes: Sequence[str]) -> None:
    """Raise UnusableData for validation examples of one class: no student could be judged."""
    there = np.unique(parts["validation"].labels())
    if len(there) < 2 and there[0] != UNLABELLED:
        wrong = f"has validation examples of one class alone, {classes[there[0]]!r}"
        right = (
            f"Give it some of all {len(classes)} classes, or leave the split out: it is cut from "
            "the training examples."
        )
        raise UnusableData(f"data {name!r}", wrong, right)


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a source's arrays; its examples are never copied as a whole."""

    source: Labelled
    index_N: Labels
    split: str
    """The source's split whose rows these are."""

    @classmethod
    def whole(cls, source: Labelled, split: str) -> "Part":
        """All rows."""
        return cls(source, np.arange(len(source.labels_N)), split)

    def labels(self) -> Labels:
        """The classes [N] of these rows."""
        return self.source.labels_N[self.index_N]

    def groups(self) -> NDArray[Any] | None:
        """The groups [N] of these rows, if there are any."""
        return None if self.source.groups_N is None else self.source.groups_N[self.index_N]

    def select(self, index_N: Labels) -> "Part":
        """Some of these rows."""
        return replace(self, index_N=self.index_N[index_N])

    def pieces(self) -> Iterator[Examples]:
        """The examples, some thousands at a time."""
        for first in range(0, len(self.index_N), PIECE):
            yield self.source.examples_NX[self.index_N[first : first + PIECE]]
            release(self.source.examples_NX)


def cut(part: Part, share: float, seed: int) -> tuple[Part, Part]:
    """Two parts, the second with `share` of the examples and the same classes' shares."""
    from sklearn.model_selection import StratifiedGroupKFold, train_test_split

    labels_N, groups_N = part.labels(), part.groups()
    every_N = np.arange(len(labels_N))
    if groups_N is not None:
        least = int(np.unique(labels_N, return_counts=True)[1].min())
        count = max(2, min(round(1 / share), least))
        folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        rest, taken = next(folds.split(every_N, labels_N, groups_N))
    else:
        classes = np.unique(labels_N)
        count = max(ceil(share * len(labels_N)), len(classes))  # one of each class
        rest, taken = train_test_split(
            every_N, test_size=count, random_state=seed,
            stratify=None if classes[0] == UNLABELLED else labels_N,
        )  # fmt: skip
    return part.select(np.sort(rest)), part.select(np.sort(taken))


def share_of_validation(examples: int, own_test: bool) -> float:
    """The share of so many examples, none of them of the test split, that validation gets."""
    usual = OF_TRAIN if own_test else OF_ONE / (1 - OF_ONE)
    return max(usual, min(ENOUGH / examples, MOST))


def split(raw: Raw, seed: int, validation: float | None = None) -> dict[str, Part]:
    """Train, validation, test and, where there are any, unlabelled and teacher; what is missing
    is cut from train, of which validation gets the share that is given.

    Raises UnusableData for a share of data that have a validation split of their own.
    """
    train = Part.whole(raw.train, "train")
    given = {name: getattr(raw, name) for name in ("validation", "test", "teacher")}
    parts = {name: Part.whole(part, name) for name, part in given.items() if part is not None}
    if raw.test is None:
        train, parts["test"] = cut(train, OF_ONE, seed)
    if raw.validation is not None and validation is not None:
        right = "Leave it out, or take that split out of the data."
        raise UnusableData(
            f"validation = {validation}", "the data have a validation split of their own", right
        )
    if raw.validation is None:
        left = len(train.index_N)
        share = validation or share_of_validation(left, raw.test is not None)
        if ceil(share * left) > left - len(raw.classes):
            wrong = f"leaves fewer training examples than classes, of {left:,}"
            raise UnusableData(f"validation = {share:g}", wrong, "Say less, or gather more.")
        train, parts["validation"] = cut(train, share, seed + 1)
    if raw.unlabelled_NX is not None:
        none_N = np.full(len(raw.unlabelled_NX), UNLABELLED, np.int64)
        parts["unlabelled"] = Part.whole(Labelled(raw.unlabelled_NX, none_N), "unlabelled")
    return {"train": train} | parts
