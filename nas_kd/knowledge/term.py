"""What a knowledge term is: a frozen record around a pure loss."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

FEW_CLASSES = 32

Temperature = float | Tensor
Loss = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """One distillation loss term."""

    loss: Loss
    """(student_GBC, teacher_BC, temperature_G11) -> [G, B]: one value an example, not reduced.

    Leading dimensions broadcast, so one student passes [B, C] and a float. Settings that the term
    names follow as keywords, each [G, 1, 1] or a float."""
    weight: float = 1.0
    """Factor beside alpha that brings the term to the size of a cross-entropy."""
    tempered: bool = True
    """Whether the term uses the temperature."""
    settings: tuple[str, ...] = ()
    """The names of further settings that the term reads, such as a margin."""


def log_softmax(logits_BC: Tensor) -> Tensor:
    """Log probabilities [B, C] over the last dimension.

    torch's own works along memory, example by example, which for few classes is 4 to 12 times
    slower on a CPU than over examples side by side (studies/cohorts).
    """
    if logits_BC.shape[-1] > FEW_CLASSES:
        return logits_BC.log_softmax(-1)
    return logits_BC.movedim(-1, 0).contiguous().log_softmax(0).movedim(0, -1)
