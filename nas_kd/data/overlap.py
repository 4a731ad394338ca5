"""Examples that are in two parts of the data: those that students learn from must not be judged."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.origin import SPLITS
from nas_kd.data.transfer import TransferSet, size

COPIES = {0: 0.05, 1: 0.0, 2: 0.0}
"""The share of judged examples that may have a copy elsewhere: rows of a table do."""


def exact(examples_NX: NDArray[np.generic]) -> list[bytes]:
    """A hash of each example's values."""
    return [hashlib.blake2b(example.tobytes(), digest_size=16).digest() for example in examples_NX]


def judged_among_unlabelled(data: TransferSet) -> int:
    """How many validation and test examples are among the unlabelled ones, if they are more than
    rows of a table that happen to be alike."""
    examples_NX, kind_N = data.examples.open(), data.origin.rows.open()[:, 0]
    rows_N = np.flatnonzero(kind_N == SPLITS.index("unlabelled"))
    if not len(rows_N):
        return 0
    known = {*exact(examples_NX[rows_N])}
    judged = [mark for rows in (data.validation, data.test)
              for mark in exact(examples_NX[slice(*rows)])]  # fmt: skip
    count = sum(mark in known for mark in judged)
    most = COPIES[len(data.input_shape) - 1] * (size(data.validation) + size(data.test))
    return count if count > most else 0
