"""The one loss convention: how hard and soft are mixed.

    loss = (1 - alpha) * CE(student, label) + alpha * soft

for each example, where soft is `Mixture.loss`: the sum of factor * weight * term. T^2 is inside the
term and nowhere else. alpha = 0 is training without the teacher, alpha = 1 without the labels. An
example without a label has the second summand only.

Suffixes: G students, B examples, C classes. Leading dimensions broadcast.
"""

import torch
from torch import Tensor

from nas_kd.data.source import UNLABELLED
from nas_kd.knowledge.term import log_softmax


def hard(student_BC: Tensor, label_B: Tensor) -> Tensor:
    """Cross-entropy [B] with the labels, zero where there is none."""
    log_student_BC = log_softmax(student_BC)
    index_B1 = label_B.clamp(min=0)[..., None].expand(*student_BC.shape[:-1], 1)
    picked_B = log_student_BC.gather(-1, index_B1)[..., 0]
    return -picked_B.where(label_B != UNLABELLED, 0.0)


def mixed(
    student_BC: Tensor,
    label_B: Tensor,
    soft_B: Tensor | None,
    alpha: float | Tensor,
    weight_C: Tensor | None = None,
) -> Tensor:
    """The loss [B] of each example. `soft_B` may be None only if alpha is 0 everywhere.

    `weight_C` weights the hard loss by the class of the label; it does not apply to the soft loss.
    """
    labelled_B = hard(student_BC, label_B)
    if weight_C is not None:
        labelled_B = labelled_B * weight_C[label_B.clamp(min=0)]
    labelled_B = (1 - alpha) * labelled_B
    return labelled_B if soft_B is None else labelled_B + alpha * soft_B


def additive_weight(alpha: float, temperature: float) -> float:
    """The factor a of the additive form CE + a * CE(student / T, softmax(teacher / T)).

    Its gradient is ours divided by (1 - alpha); infinite at alpha = 1.
    """
    return torch.inf if alpha == 1 else alpha * temperature**2 / (1 - alpha)
