"""Whether a teacher always answers the same to an example: alone, among others, and again.

Suffixes: B examples, C classes.
"""

import numpy as np
import torch

from nas_kd.data.transfer import TransferSet
from nas_kd.errors import NasKDError, UnusableTeacher
from nas_kd.teachers.asking import ask, differ
from nas_kd.teachers.teacher import Answerer

ALONE, TOGETHER = 32, 128
"""So many examples are answered one by one, and so many in one batch."""


def expect_steady(answerer: Answerer, data: TransferSet, name: str) -> None:
    """Raise UnusableTeacher for a teacher that answers at random, or whose answer to an example
    depends on the others in its batch: its signals could not be checked."""
    first, last = data.labelled
    row_B = np.arange(first, min(last, first + TOGETHER))
    together_BC, again_BC = ask(answerer, data, row_B), ask(answerer, data, row_B)
    if differ(together_BC, again_BC):
        wrong = "answers otherwise when it is asked again, in eval mode: it draws random numbers"
        right = "Look for dropout or noise that ignores eval(): dropout(..., training=True)."
        raise UnusableTeacher(name, wrong, right)
    try:
        alone_BC = torch.cat(
            [ask(answerer, data, row_B[[one]]) for one in range(min(ALONE, len(row_B)))]
        )
    except NasKDError:
        raise
    except Exception as error:
        wrong = f"cannot answer a single example, only a batch ({error})"
        right = "It must take a batch of any size: export it with a dynamic first dimension."
        raise UnusableTeacher(name, wrong, right) from error
    if differ(together_BC[:ALONE], alone_BC):
        wrong = "answers otherwise to an example alone than among others, in eval mode"
        right = (
            "Look for statistics of the batch: a batch norm with track_running_stats=False, or one "
            "that is kept in train mode."
        )
        raise UnusableTeacher(name, wrong, right)
