"""What a knowledge term is: a frozen record around a pure loss.

Suffixes: G students, B examples, C classes or channels, X the sides of a map.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn

from nas_kd.data.signals import Tap

FEW_CLASSES = 32

Temperature = float | Tensor
Loss = Callable[..., Tensor]

Features = tuple[Tensor, ...]
"""What some layers give: maps [B, C, *X] or vectors [B, C]."""

WhichLayers = Literal["all", "last", "middle", "ends", "embedding"]


def as_it_is(features: Features) -> Features:
    """Keep the features unchanged."""
    return features


@dataclass(frozen=True, slots=True)
class Knowledge:
    """One distillation loss term, of logits or of layers."""

    loss: Loss
    """(student, teacher, temperature) -> [G, B]: one value an example, not reduced.

    Of logits: [G, B, C] and [B, C], and leading dimensions broadcast, so one student passes [B, C]
    and a float. Of layers: what the chosen layers of the student give, and what `keep` made of the
    teacher's, for one student. Without `tempered` there is no temperature. Settings that the term
    names follow as keywords, each [G, 1, 1] or a float."""
    weight: float = 1.0
    """Factor beside alpha that brings the term to the size of a cross-entropy."""
    tempered: bool = True
    """Whether the term uses the temperature."""
    settings: tuple[str, ...] = ()
    """The names of further settings that the term reads, such as a margin."""
    labels: bool = False
    """Whether the loss is given the keyword `label_B`, the classes, -1 where there is none."""
    layers: WhichLayers | None = None
    """Which layers the term compares; None is the logits."""
    maps: bool = False
    """Whether it needs layers whose outputs have positions."""
    keep: Callable[[Features], Features] = as_it_is
    """What of the teacher's layers is stored, for each example."""
    adapter: Callable[[Tap, Tap], nn.Module] | None = None
    """(student's tap, teacher's tap) -> a layer that is trained with the student and brings its
    channels to the teacher's; it is never counted or exported."""

    def __post_init__(self) -> None:
        if self.layers not in (None, *get_args(WhichLayers)):
            known = ", ".join(get_args(WhichLayers))
            raise ValueError(f"a term compares the layers {known}, and not {self.layers!r}")


def log_softmax(logits_BC: Tensor) -> Tensor:
    """Log probabilities [B, C] over the last dimension.

    torch's own works along memory, example by example, which for few classes is 4 to 12 times
    slower on a CPU than over examples side by side (studies/cohorts).
    """
    if logits_BC.shape[-1] > FEW_CLASSES:
        return logits_BC.log_softmax(-1)
    return logits_BC.movedim(-1, 0).contiguous().log_softmax(0).movedim(0, -1)


def divergence(log_student_BC: Tensor, log_teacher_BC: Tensor) -> Tensor:
    """KL(teacher || student) [B] of log probabilities."""
    return (log_teacher_BC.exp() * (log_teacher_BC - log_student_BC)).sum(-1)


def per_example(setting: float | Tensor) -> float | Tensor:
    """A setting [G, 1, 1] for the values [G, B] of examples."""
    return setting[..., 0] if isinstance(setting, Tensor) else setting
