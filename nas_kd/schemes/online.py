"""online: networks that are trained side by side teach one another.

Zhang, Xiang, Hospedales, Lu 2018, "Deep Mutual Learning", sections 3.1 and 3.3,
https://arxiv.org/abs/1706.00384: each of K peers of one config imitates the K - 1 others, and the
loss is the mean over them. The paper has T = 1 and updates the peers in turn; here all step at
once, at the trial's T. With a co-teacher it is one larger network, which learns from labels.

Suffixes: G networks, the student first, B examples, C classes, K targets.
"""

import torch
from torch import Tensor

from nas_kd.schemes.scheme import Scheme
from nas_kd.students.family import StudentConfig

MOST_ALPHA = 0.95


def peers_of(
    config: StudentConfig, peers: int, co_teacher: StudentConfig | None
) -> tuple[StudentConfig, ...]:
    """The peers of a student."""
    return (config,) * (peers - 1)


def other_networks(live_GBC: Tensor) -> Tensor:
    """What all others of the G answer, [G - 1, G, B, C]."""
    return torch.stack([live_GBC.roll(step, 0) for step in range(1, len(live_GBC))])


def co_teacher_alone(
    config: StudentConfig, peers: int, co_teacher: StudentConfig | None
) -> tuple[StudentConfig, ...]:
    """The co-teacher."""
    assert co_teacher is not None, "the scheme has a co-teacher"
    return (co_teacher,)


def co_teacher_logits(live_GBC: Tensor) -> Tensor:
    """What the co-teacher answers, for each of the G."""
    return live_GBC[1:2].expand_as(live_GBC)


ONLINE = Scheme(
    mates=peers_of,
    target=other_networks,
    most_alpha=MOST_ALPHA,
    says="{peers} networks of one config are trained side by side and teach one another; the first "
    "one counts.",
)
CO_TEACHER = Scheme(
    mates=co_teacher_alone,
    target=co_teacher_logits,
    labels_only=(1,),
    says="A larger network is trained beside each student, on the labels, and teaches it.",
)
