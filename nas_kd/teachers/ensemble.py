"""Several teachers as one: `a+b+c`.

Their probabilities at a temperature of 1 are averaged, and the logarithms of the means are the
logits (Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network",
https://arxiv.org/abs/1503.02531, section 2: the arithmetic mean).

Suffixes: B examples, C classes.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nas_kd.data.source import Rows_N
from nas_kd.teachers.adapting import FLOOR
from nas_kd.teachers.networks import made_of
from nas_kd.teachers.teacher import Answerer


def ensemble(parts: Sequence[Answerer]) -> Answerer:
    """Teachers that answer together; a row has an answer only if each of them answers it."""

    def answer(row_B: Rows_N, examples_BX: Tensor) -> Tensor:
        return averaged([part.answer(row_B, examples_BX) for part in parts])

    masks = [part.known_N for part in parts if part.known_N is not None]
    counts = [part.parameters for part in parts]
    known = [count for count in counts if count is not None]
    hashes = [made_of(part) for part in parts]
    return Answerer(
        answer=answer,
        parameters=sum(known) if len(known) == len(counts) else None,
        views=all(part.views for part in parts),
        by_row=any(part.by_row for part in parts),
        known_N=np.logical_and.reduce(masks) if masks else None,
        sha256=hashlib.sha256(" ".join(hashes).encode()).hexdigest() if all(hashes) else "",
        notes=tuple(note for part in parts for note in part.notes),
    )


def averaged(logits_BC: Sequence[Tensor]) -> Tensor:
    """The logarithms [B, C] of the mean probabilities of several answers."""
    mean_BC = torch.stack([one_BC.softmax(-1) for one_BC in logits_BC]).mean(0)
    return mean_BC.clamp_min(FLOOR).log()
