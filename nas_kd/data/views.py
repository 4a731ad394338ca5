"""Views: a fixed, seeded set of augmentations (shifts and flips) for teacher and student.

In epoch e, teacher and student both see example i as view (e + i) mod V. The set is fixed, so
the teacher's logits for every view are computed beforehand. View 0 is the unchanged example.

Suffixes: N examples, V views, X the shape of one example.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

View = tuple[int, int, bool]
"""Shift down, shift right, and whether it is mirrored."""

PLAIN: View = (0, 0, False)


@dataclass(frozen=True, slots=True)
class Views:
    """How many views there are, and what they may do to a picture."""

    count: int = 1
    shift: int = 0
    flip: bool = False
    seed: int = 0
    sides: int = 2
    """2 for pictures, 1 for signals, which are shifted along their length, 0 for tables."""

    def table(self) -> list[View]:
        """The shift down, the shift right and the flip of each view.

        No view is repeated unless `count` exceeds the number of possible views.
        """
        span = range(-self.shift, self.shift + 1)
        down, right = (span if self.sides > axis else range(1) for axis in (1, 0))
        every = [(y, x, f) for y in down for x in right for f in {False, self.flip}]
        rest = [view for view in every if view != (0, 0, False)]
        order = np.random.default_rng(self.seed).permutation(len(rest))
        drawn = [rest[i] for i in order] or [(0, 0, False)]
        return [(0, 0, False), *(drawn[i % len(drawn)] for i in range(self.count - 1))]


def view(examples_NX: Tensor, how: View) -> Tensor:
    """The pictures or signals shifted, edges repeated, and flipped if asked."""
    down, right, flip = how
    sides = examples_NX.shape[2:]
    reach = max(abs(down), abs(right))
    if reach:
        kind = examples_NX.dtype
        wide = pad(examples_NX.float(), (reach,) * 2 * len(sides), mode="replicate").to(kind)
        starts = (reach - down, reach - right)[-len(sides) :]
        for axis, (start, side) in enumerate(zip(starts, sides, strict=True), 2):
            wide = wide.narrow(axis, start, side)
        examples_NX = wide
    return examples_NX.flip(-1) if flip else examples_NX


def number(epoch: int, count: int, views: int) -> Tensor:
    """The view [N] in which each of `count` examples is seen in an epoch."""
    return (torch.arange(count) + epoch) % views


def seen(examples_NX: Tensor, views: Views, epoch: int) -> Tensor:
    """All examples as they are seen in an epoch."""
    if views.count == 1:
        return examples_NX
    return shown(examples_NX, torch.arange(len(examples_NX)), views, epoch)


def shown(examples_BX: Tensor, index_B: Tensor, views: Views, epoch: int) -> Tensor:
    """Examples, of which these are the numbers, as they are seen in an epoch."""
    result = torch.empty_like(examples_BX)
    which_B = (index_B + epoch) % views.count
    for number, how in enumerate(views.table()):
        rows = which_B == number
        result[rows] = view(examples_BX[rows], how)
    return result
