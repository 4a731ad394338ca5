"""What a knowledge term is: a frozen record around a pure loss."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Temperature = float | Tensor
Loss = Callable[[Tensor, Tensor, Temperature], Tensor]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """One distillation loss term."""

    loss: Loss
    """(student_GBC, teacher_BC, temperature_G11) -> [G, B]: one value an example, not reduced.

    Leading dimensions broadcast, so one student passes [B, C] and a float."""
    weight: float = 1.0
    """Factor beside alpha that brings the term to the size of a cross-entropy."""
    tempered: bool = True
    """Whether the term uses the temperature."""
