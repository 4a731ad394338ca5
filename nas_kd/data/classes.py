"""How many examples each class has, and what follows from it.

Suffixes: N examples, C classes.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.origin import SPLITS
from nas_kd.data.overlap import judged_among_unlabelled
from nas_kd.data.transfer import Rows, TransferSet, size
from nas_kd.intervals import Z95, half_width

RARE = 0.2
"""A class with less than this share of the mean class is rare."""


def counted(data: TransferSet, rows: Rows) -> NDArray[np.int64]:
    """The examples [C] of each class in these rows."""
    labels_N = data.labels.open()[slice(*rows)]
    return np.bincount(labels_N[labels_N >= 0], minlength=len(data.classes))


def balanced(data: TransferSet) -> tuple[float, ...]:
    """Weights with which every class has the same share of the loss; their mean over the labelled
    examples is 1."""
    counts_C = counted(data, data.labelled)
    return tuple((counts_C.sum() / (len(counts_C) * counts_C)).tolist())


def imbalance(data: TransferSet) -> str | None:
    """In words which class is rare, if one is."""
    counts_C = counted(data, data.labelled)
    if counts_C.min() >= RARE * counts_C.mean():
        return None
    rare, often = (data.classes[int(n)] for n in (counts_C.argmin(), counts_C.argmax()))
    return (
        f"{rare!r} has {counts_C.min():,} examples, {often!r} {counts_C.max():,}; guessing "
        f"{often!r} is right in {counts_C.max() / counts_C.sum():.0%}"
    )


def lacking(data: TransferSet, rows: Rows) -> tuple[str, ...]:
    """The classes that have no example in these rows."""
    counts_C = counted(data, rows)
    return tuple(name for name, count in zip(data.classes, counts_C, strict=True) if count == 0)


SMALL_SHARE = 0.3
"""Where validation has less of the labelled examples, it can be given more."""

FEW = 200
"""On fewer validation examples students are hardly told apart."""


def doubts(data: TransferSet) -> Iterator[tuple[str, str, str]]:
    """What of the splits may spoil a study: what it is about, what is wrong, and what to do."""
    for split in ("validation", "test") if counted(data, data.labelled).any() else ():
        if none := lacking(data, getattr(data, split)):
            more = ", ..." * (len(none) > 5)
            wrong = f"{split} has no example of {', '.join(map(repr, none[:5]))}{more}"
            yield "classes", wrong, "Accuracy there says nothing of them: give that split some."
    if (there := size(data.validation)) < FEW:
        wrong = (
            f"{there} validation examples are few: two students may differ by "
            f"{100 * 2**0.5 * half_width(0.9, there, Z95):.0f} points by chance"
        )
        share = there / (there + size(data.labelled))
        cut = data.origin.rows.open()[data.validation[0], 0] == SPLITS.index("train")
        more = " Or give validation more: --fix validation=0.33."
        more *= bool(cut) and share < SMALL_SHARE
        yield "splits", wrong, f"Gather more examples.{more}"
    if copies := judged_among_unlabelled(data):
        wrong = f"{copies:,} validation and test examples are among the unlabelled ones"
        yield "splits", wrong, "Take them out there: students would be judged on what they learned."
    if rare := imbalance(data):
        yield "classes", rare, MEND_IMBALANCE


MEND_IMBALANCE = (
    "Weigh the classes with --fix class_weights=balanced, judge by --metric balanced-accuracy, or "
    "gather more of the rare ones."
)
