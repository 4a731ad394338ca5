"""A teacher as it is, made to take the study's examples and to give one tensor of logits.

Suffixes: B examples, C classes; images are [B, channels, height, width].
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from nas_kd.errors import UnusableTeacher

FLOOR = 1e-8
"""A probability counts as this at least: its logarithm is a logit."""


@dataclass(frozen=True, slots=True)
class TeacherInput:
    """How a teacher wants its examples, and which of its outputs are the logits."""

    output: str | None = None
    """Name or position of the output that counts, where there are several."""
    size: int | None = None
    """Side in pixels that pictures are resized to; None leaves them."""
    mean: tuple[float, ...] | None = None
    """The teacher's own normalisation, of pixels from 0 to 1; None takes the data's."""
    std: tuple[float, ...] | None = None
    probabilities: bool = False
    """The output has probabilities; their logarithms are the logits."""
    gives: bool | None = None
    """Whether it is said to give probabilities; None finds it out."""
    colour: bool = False
    """Grey pictures are repeated to three channels."""
    data_mean: tuple[float, ...] = (0.0,)
    data_std: tuple[float, ...] = (1.0,)
    unit: float = 255.0
    """What a white pixel is in the data: 255 for uint8, 1 for float."""


class Adapted(nn.Module):
    """Takes examples normalised as the data are, gives logits [B, C]."""

    def __init__(self, network: nn.Module, expects: TeacherInput, classes: int, name: str) -> None:
        super().__init__()
        self.network = network
        self.expects, self.classes, self.name = expects, classes, name

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, C]; of probabilities, their logarithm. Raises UnusableTeacher."""
        found = self.network(prepare(images, self.expects))
        chosen_BC = choose(found, len(images), self.classes, self.expects.output, self.name)
        return chosen_BC.clamp_min(FLOOR).log() if self.expects.probabilities else chosen_BC


def prepare(images: Tensor, expects: TeacherInput) -> Tensor:
    """The images as the teacher wants them."""
    if expects.mean is not None and expects.std is not None:
        pixels = images * column(expects.data_std, images) + column(expects.data_mean, images)
        images = pixels / expects.unit
    if expects.colour and images.ndim == 4 and images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1)
    if expects.mean is not None and expects.std is not None:
        images = (images - column(expects.mean, images)) / column(expects.std, images)
    if expects.size is not None and images.ndim != 4:
        wrong = f"was given for examples {tuple(images.shape[1:])}"
        raise UnusableTeacher("--teacher-size", wrong, "It is for pictures; leave it out.")
    if expects.size is not None and images.shape[-2:] != (expects.size, expects.size):
        side = (expects.size, expects.size)
        images = interpolate(images, side, mode="bilinear", antialias=True)
    return images


def column(values: tuple[float, ...], images: Tensor) -> Tensor:
    """One value a channel, for broadcasting over an example, where the examples are."""
    return torch.tensor(values, device=images.device).view(-1, *(1 for _ in images.shape[2:]))


def probabilities(answers_BC: Tensor) -> bool:
    """Whether every row is a distribution: nothing below zero, sum one."""
    sums = answers_BC.sum(-1)
    return bool((answers_BC >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-3))


def tensors(found: Any) -> Iterator[tuple[str, Tensor]]:
    """Every tensor in an output, by its key, its attribute or its position."""
    if isinstance(found, Mapping):
        pairs = found.items()
    elif isinstance(found, list | tuple) and not hasattr(found, "_fields"):
        pairs = dict(enumerate(found)).items()
    else:
        fields = found._asdict() if hasattr(found, "_asdict") else getattr(found, "__dict__", {})
        pairs = fields.items()
    for name, value in pairs:
        if isinstance(value, Tensor):
            yield str(name), value


def choose(found: Any, count: int, classes: int, output: str | None, name: str) -> Tensor:
    """The one output [B, C]. Raises UnusableTeacher listing what there is."""
    if isinstance(found, Tensor) and output is None:
        if found.shape != (count, classes):
            wrong = f"answers with shape {tuple(found.shape)}"
            right = f"It must give [B, {classes}]: one logit for each class of the data."
            raise UnusableTeacher(name, wrong, right)
        return found.float()
    named = dict(tensors(found)) if not isinstance(found, Tensor) else {}
    fitting = [key for key, value in named.items() if value.shape == (count, classes)]
    listed = ", ".join(f"{key} {tuple(value.shape)}" for key, value in named.items()) or "none"
    if output is not None:
        if output not in fitting:
            wrong = f"has no output {output!r} of shape [B, {classes}]; its tensors: {listed}"
            raise UnusableTeacher(name, wrong, "Say another --teacher-output.")
        return named[output].float()
    answers = {value.shape[1] for value in named.values() if value.ndim == 2}
    if not fitting and len(answers) >= 1:
        few = ", ".join(map(str, sorted(answers)))
        wrong = f"answers {few} values an example, the data has {classes} classes; {listed}"
        raise UnusableTeacher(name, wrong, "Use data and a teacher of the same classes.")
    if len(fitting) != 1:
        wrong = f"has {len(fitting)} outputs [B, {classes}]; its tensors: {listed}"
        raise UnusableTeacher(name, wrong, "Say which one counts: --teacher-output NAME.")
    return named[fitting[0]].float()
