"""Cutting splits: stratified, seeded, and never touching a test split that the set has."""

import numpy as np

from nas_kd.data.source import Examples, Labelled, Labels, Raw
from nas_kd.errors import UnusableData

OF_ONE = 0.2
"""Share of all examples that validation and test each get where the set is a single heap."""

OF_TRAIN = 0.1
"""Share of the training examples that validation gets where the set has its own test split."""


LEAST_GROUPS = 10


def check(name: str, raw: Raw) -> None:
    """Raise UnusableData where the arrays are not examples with one class each."""
    given = f"data {name!r}"
    right = "Give pictures [N, C, H, W], signals [N, C, L] or a table [N, F], labels from 0."
    images, labels = raw.train.examples_NX, raw.train.labels_N
    if images.ndim not in (2, 3, 4) or len(images) != len(labels) or labels.ndim != 1:
        wrong = f"has images {images.shape} and labels {labels.shape}"
        raise UnusableData(given, wrong, right)
    counts = np.bincount(labels[labels >= 0], minlength=len(raw.classes))
    if labels.min() < 0 or len(counts) > len(raw.classes) or len(raw.classes) < 2:
        wrong = f"has labels {labels.min()} to {labels.max()} for {len(raw.classes)} classes"
        raise UnusableData(given, wrong, right)
    for split in ("validation", "test", "teacher"):
        part = getattr(raw, split)
        if (
            part is not None
            and len(part.labels_N)
            and (part.labels_N.min() < 0 or part.labels_N.max() >= len(raw.classes))
        ):
            wrong = f"has labels {part.labels_N.min()} to {part.labels_N.max()} in {split}"
            right = f"Training has the {len(raw.classes)} classes 0 to {len(raw.classes) - 1}."
            raise UnusableData(given, wrong, right)
    if counts.min() < 4:
        rare = raw.classes[int(counts.argmin())]
        wrong = f"has only {counts.min()} training examples of class {rare!r}"
        raise UnusableData(given, wrong, "Each class needs 4: the splits are stratified.")
    broken = np.isinf if raw.table else lambda values: ~np.isfinite(values)
    if images.dtype.kind == "f" and broken(images).any():
        wrong = f"has values that are {'' if raw.table else 'NaN or '}infinite"
        raise UnusableData(given, wrong, "Remove or fill them.")
    groups = raw.train.groups_N
    if groups is not None and (found := len(np.unique(groups))) < LEAST_GROUPS:
        right = f"Splits that part no group need {LEAST_GROUPS} of them."
        raise UnusableData(given, f"has only {found} groups", right)


def cut(part: Labelled, share: float, seed: int) -> tuple[Labelled, Labelled]:
    """Two parts, the second with `share` of the examples and the same classes' shares."""
    from sklearn.model_selection import StratifiedGroupKFold, train_test_split

    every_N = np.arange(len(part.labels_N))
    if part.groups_N is not None:
        folds = StratifiedGroupKFold(round(1 / share), shuffle=True, random_state=seed)
        rest, taken = next(folds.split(every_N, part.labels_N, part.groups_N))
    else:
        rest, taken = train_test_split(
            every_N, test_size=share, random_state=seed, stratify=part.labels_N
        )
    return select(part, np.sort(rest)), select(part, np.sort(taken))


def select(part: Labelled, index_N: Labels) -> Labelled:
    """The examples of these rows."""
    groups_N = None if part.groups_N is None else part.groups_N[index_N]
    return Labelled(part.examples_NX[index_N], part.labels_N[index_N], groups_N)


def split(raw: Raw, seed: int) -> dict[str, Labelled]:
    """Train, validation, test and, where there is one, teacher; what is missing cut from train."""
    train, validation, test = raw.train, raw.validation, raw.test
    if test is None:
        train, test = cut(train, OF_ONE, seed)
    if validation is None:
        share = OF_TRAIN if raw.test is not None else OF_ONE / (1 - OF_ONE)
        train, validation = cut(train, share, seed + 1)
    parts = {"train": train, "validation": validation, "test": test}
    return parts | ({"teacher": raw.teacher} if raw.teacher else {})


def unlabelled(examples_NX: Examples) -> Labelled:
    """Examples without a class: their label is -1."""
    return Labelled(examples_NX, np.full(len(examples_NX), -1, np.int64))
