"""How many examples each class has, and what follows from it.

Suffixes: N examples, C classes.
"""

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.transfer import Rows, TransferSet

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


MEND_IMBALANCE = (
    "Weigh the classes with --fix class_weights=balanced, judge by --metric balanced-accuracy, or "
    "gather more of the rare ones."
)
