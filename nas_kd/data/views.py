"""Views: a fixed, seeded set of shifts and flips, in which teacher and student see an example.

In epoch e example i is seen as view (e + i) mod V, by teacher and student alike, so a teacher's
answer is known for each view beforehand. View 0 is the example as it is.

Suffixes: N examples, V views, C channels, H and W pixels.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True, slots=True)
class Views:
    """How many views there are, and what they may do to a picture."""

    count: int = 1
    shift: int = 0
    flip: bool = False
    seed: int = 0

    def table(self) -> list[tuple[int, int, bool]]:
        """Shift down, shift right and flip of each view; distinct as far as there are enough."""
        span = range(-self.shift, self.shift + 1)
        every = [(y, x, f) for y in span for x in span for f in {False, self.flip}]
        rest = [view for view in every if view != (0, 0, False)]
        order = np.random.default_rng(self.seed).permutation(len(rest))
        drawn = [rest[i] for i in order] or [(0, 0, False)]
        return [(0, 0, False), *(drawn[i % len(drawn)] for i in range(self.count - 1))]


def view(images_NCHW: Tensor, how: tuple[int, int, bool]) -> Tensor:
    """The pictures [N, C, H, W] shifted, edges repeated, and flipped if asked."""
    down, right, flip = how
    height, width = images_NCHW.shape[-2:]
    reach = max(abs(down), abs(right))
    if reach:
        kind = images_NCHW.dtype
        wide = pad(images_NCHW.float(), (reach,) * 4, mode="replicate").to(kind)
        top, left = reach - down, reach - right
        images_NCHW = wide[..., top : top + height, left : left + width]
    return images_NCHW.flip(-1) if flip else images_NCHW


def number(epoch: int, count: int, views: int) -> Tensor:
    """The view [N] in which each of `count` examples is seen in an epoch."""
    return (torch.arange(count) + epoch) % views


def seen(images_NCHW: Tensor, views: Views, epoch: int) -> Tensor:
    """All examples [N, C, H, W] as they are seen in an epoch."""
    if views.count == 1:
        return images_NCHW
    result = torch.empty_like(images_NCHW)
    for first, how in enumerate(views.table()):
        rows = slice((first - epoch) % views.count, None, views.count)
        result[rows] = view(images_NCHW[rows], how)
    return result
