"""Asking a teacher: its answers to rows of the transfer set, and the few by which it is known.

Suffixes: B rows, N rows that are asked for, M fixed rows, C classes.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_kd.data.source import Rows_N
from nas_kd.data.transfer import Rows, TransferSet, size
from nas_kd.data.views import PLAIN, View, view
from nas_kd.errors import NasKDError, UnusableTeacher
from nas_kd.teachers.teacher import Answerer
from nas_kd.training import tensor

PIECE = 128
"""Examples that a teacher answers at once: half the time of 512, whose activations fit no cache."""

FIXED = 256
"""A teacher is known by its answers to so many rows."""

APART = 1e-3
"""Answers differ where they do by more than this, and by more than this share of themselves."""


@torch.inference_mode()
def ask(answerer: Answerer, data: TransferSet, row_N: Rows_N, how: View = PLAIN) -> Tensor:
    """The teacher's logits [N, C] to rows as a view sees them. Raises UnusableTeacher."""
    examples = tensor(data.examples)
    pieces = [row_N[first : first + PIECE] for first in range(0, len(row_N), PIECE)]
    return torch.cat([
        answerer.answer(row_B, view(examples[torch.from_numpy(row_B)], how)) for row_B in pieces
    ])  # fmt: skip


def answers_to(
    answerer: Answerer, data: TransferSet, rows: Rows, given: str = "the teacher"
) -> Tensor:
    """The teacher's logits [N, C] to a run of rows. Raises UnusableTeacher for a teacher that
    cannot take the examples, or gives another form."""
    try:
        return ask(answerer, data, np.arange(*rows))
    except NasKDError:
        raise
    except Exception as error:  # whatever a forward of the user's does
        right = (
            f"It must give logits [B, {len(data.classes)}] for any number of examples "
            f"{data.input_shape}; say how it wants them: --teacher-size, --teacher-mean, "
            "--teacher-std."
        )
        raise UnusableTeacher(given, f"fails on the data ({error})", right) from error


def fixed_rows(answerer: Answerer, data: TransferSet) -> Rows_N:
    """The rows [M] by whose answers a teacher is known, always the same of the same data: of the
    train split, and a quarter of validation where the teacher answers that."""
    random, judged = np.random.default_rng(0), data.validation
    count = min(FIXED // 4, size(judged)) if answerer.knows(*judged) else 0
    seen = judged[0] + random.permutation(size(judged))[:count]
    learned = data.train[0] + random.permutation(size(data.train))[: FIXED - count]
    return np.sort(np.concatenate([learned, seen]))


def known_by(answerer: Answerer, data: TransferSet) -> NDArray[np.float32]:
    """The answers [M, C] by which a teacher is known."""
    found: NDArray[np.float32] = ask(answerer, data, fixed_rows(answerer, data)).numpy()
    return found


def differ(one_BC: Tensor, other_BC: Tensor) -> bool:
    """Whether answers differ by more than the last bits; NaN is as itself."""
    if one_BC.shape != other_BC.shape:
        return True
    return not torch.allclose(one_BC, other_BC, rtol=APART, atol=APART, equal_nan=True)


def expect_same(answerer: Answerer, data: TransferSet, kept_MC: NDArray[np.float32]) -> None:
    """Raise UnusableTeacher for a teacher that answers otherwise than when its study began."""
    if differ(torch.from_numpy(known_by(answerer, data)), torch.from_numpy(np.array(kept_MC))):
        raise UnusableTeacher(
            "the teacher",
            f"answers otherwise than when the study began: to {FIXED} fixed rows of the data its "
            f"logits differ by more than {APART:g}",
            "Its file, its code or an object in it changed: bring it back, or search in a new "
            "folder with --study.",
        )
