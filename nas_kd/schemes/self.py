"""self and exits: a student that is its own teacher.

`self` is born-again: Furlanello, Lipton, Tschannen, Itti, Anandkumar 2018, "Born Again Neural
Networks", https://arxiv.org/abs/1805.04770: a student of the same config learns from the one before
it. `exits` is Zhang, Song, Gao, Chen, Bao, Ma 2019, "Be Your Own Teacher", section 3,
https://arxiv.org/abs/1905.08094: the deepest exit teaches the shallower ones. Theirs have layers of
their own and hints; here an exit is the mean over positions and one linear layer.

Suffixes: G exits, the last stage's first, B examples, C classes.
"""

from torch import Tensor

from nas_kd.schemes.scheme import Scheme


def deepest_exit(live_GBC: Tensor) -> Tensor:
    """What the student itself answers, for each exit."""
    return live_GBC[:1].expand_as(live_GBC)


SELF = Scheme(
    rounds=2,
    says="A student learns the labels in the first half of the epochs; a new one of its config "
    "learns from it in the second half, and counts. A student alone has all epochs.",
)
EXITS = Scheme(
    exits=True,
    target=deepest_exit,
    labels_only=(0,),
    says="The last layer of a student, which learns the labels, teaches heads after its earlier "
    "stages; they are off afterwards.",
)
