"""Cutting splits: stratified, seeded, and never touching a test split that the set has."""

import numpy as np

from nas_kd.data.source import Images, Labelled, Labels, Raw
from nas_kd.errors import UnusableData

OF_ONE = 0.2
"""Share of all examples that validation and test each get where the set is a single heap."""

OF_TRAIN = 0.1
"""Share of the training examples that validation gets where the set has its own test split."""


def check(name: str, raw: Raw) -> None:
    """Raise UnusableData where the arrays are not pictures with one class each."""
    given, right = f"data {name!r}", "Give images [N, C, H, W] and integer labels [N] from 0."
    images, labels = raw.train.images_NCHW, raw.train.labels_N
    if images.ndim != 4 or len(images) != len(labels) or labels.ndim != 1:
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
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise UnusableData(given, "has values that are NaN or infinite", "Remove or fill them.")


def cut(part: Labelled, share: float, seed: int) -> tuple[Labelled, Labelled]:
    """Two parts, the second with `share` of the examples and the same classes' shares."""
    from sklearn.model_selection import train_test_split

    rest, taken = train_test_split(
        np.arange(len(part.labels_N)), test_size=share, random_state=seed, stratify=part.labels_N
    )
    return select(part, np.sort(rest)), select(part, np.sort(taken))


def select(part: Labelled, index_N: Labels) -> Labelled:
    """The examples of these rows."""
    return Labelled(part.images_NCHW[index_N], part.labels_N[index_N])


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


def unlabelled(images_NCHW: Images) -> Labelled:
    """Examples without a class: their label is -1."""
    return Labelled(images_NCHW, np.full(len(images_NCHW), -1, np.int64))
