"""self and exits: a student that is its own teacher.

`self` is born-again: Furlanello, Lipton, Tschannen, Itti, Anandkumar 2018, "Born Again Neural
Networks", https://arxiv.org/abs/1805.04770: a student of the same config learns from the one before
it. `exits` is Zhang, Song, Gao, Chen, Bao, Ma 2019, "Be Your Own Teacher", section 3,
https://arxiv.org/abs/1905.08094, without its hints: the deepest exit teaches the shallower ones.

Suffixes: G exits, the last stage's first, B examples, C classes.
"""

from torch import Tensor

from nas_kd.schemes.scheme import Scheme


def the_deepest(live_GBC: Tensor) -> Tensor:
    """What the student itself answers, for each exit."""
    return live_GBC[:1].expand_as(live_GBC)


SELF = Scheme(rounds=2)
EXITS = Scheme(exits=True, target=the_deepest, labels_only=(0,))
