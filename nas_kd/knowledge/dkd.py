"""Decoupled knowledge distillation: what the teacher says of the true class, and of the others.

Zhao, Cui, Song, Qiu, Liang 2022, "Decoupled Knowledge Distillation", equation 7,
https://arxiv.org/abs/2203.08679

Suffixes: B examples, C classes. Leading dimensions broadcast.
"""

import torch
from torch import Tensor

from nas_kd.data.source import UNLABELLED
from nas_kd.knowledge.term import Knowledge, Temperature, divergence, log_softmax, per_example


def dkd(
    student_BC: Tensor,
    teacher_BC: Tensor,
    temperature: Temperature,
    *,
    label_B: Tensor,
    target_weight: float | Tensor,
    other_weight: float | Tensor,
) -> Tensor:
    """T^2 (target_weight KL(true class or not) + other_weight KL(among the other classes)), [B].

    With `other_weight` 1 - p for the teacher's probability p of the true class, and `target_weight`
    1, it is `kl`. An unlabelled example counts as the teacher's likeliest class.
    """
    label_B = torch.where(label_B == UNLABELLED, teacher_BC.argmax(-1), label_B)
    true_BC = torch.zeros_like(teacher_BC, dtype=torch.bool).scatter(-1, label_B[..., None], True)
    student, teacher = (
        split_by_class(logits_BC / temperature, true_BC) for logits_BC in (student_BC, teacher_BC)
    )
    pairs = zip(student, teacher, strict=True)
    target_B, other_B = (divergence(ours, theirs) for ours, theirs in pairs)
    weighed_B = per_example(target_weight) * target_B + per_example(other_weight) * other_B
    return per_example(temperature) ** 2 * weighed_B


def split_by_class(logits_BC: Tensor, true_BC: Tensor) -> tuple[Tensor, Tensor]:
    """Log probabilities of the true class and of the others together [B, 2], and of each other
    class among the others [B, C], where the true one has next to nothing."""
    log_BC = log_softmax(logits_BC)
    least = (
        torch.finfo(log_BC.dtype).min / 2
    )  # its exponential is 0, and the difference of two is finite
    others_BC = torch.where(true_BC, least, log_BC)
    log_true_B = torch.where(true_BC, log_BC, 0.0).sum(-1)
    log_others_B1 = others_BC.logsumexp(-1, keepdim=True)
    among_BC = torch.where(true_BC, least, others_BC - log_others_B1)
    return torch.cat([log_true_B[..., None], log_others_B1], -1), among_BC


DKD = Knowledge(loss=dkd, settings=("target_weight", "other_weight"), labels=True)
