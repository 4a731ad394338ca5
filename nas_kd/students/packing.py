"""Packed networks: several students of one family as one network, zero-padded to common widths.

A student is a row of every tensor: weights are [G, ...], and a narrower student's own part is the
first of each further dimension, the rest zero. What is zero stays zero: its gradient is zero, and
so is AdamW's step from it. Students are in order of depth, the deepest first, so that the ones
that leave early are always the last rows.

Suffixes: G students, B examples, C channels, F features, X positions (pixels, or a signal's).
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, avg_pool2d, batch_norm, conv1d, conv2d, pad

from nas_kd.costs.budgets import Shape
from nas_kd.students.family import StudentConfig

CONVOLVE: dict[int, Callable[..., Tensor]] = {1: conv1d, 2: conv2d}
MEAN: dict[int, Callable[..., Tensor]] = {1: avg_pool1d, 2: avg_pool2d}

MOST = 16
"""No cohort is larger."""

WORTH: Mapping[tuple[str, str], tuple[tuple[int, int], ...]] = {
    ("cpu", "mlp"): ((128, 2048),),
    ("cpu", "cnn"): ((4, 1024), (16, 512), (32, 128)),
}
"""By device kind and family: up to this width, students are faster together as long as a step of
all of them is of no more examples than this (16 students and a batch of 128 make 2,048).

Measured (studies/cohorts); whatever is not here trains alone.
"""


def most_together(device: str, config: StudentConfig, batch: int) -> int:
    """How many students as wide as this one train faster together; 1 is alone."""
    for widest, examples in WORTH.get((device, config.family), ()):
        if max(config.channels) <= widest:
            return max(1, min(MOST, examples // batch))
    return 1


def own_parts(
    packed: Mapping[str, Tensor], own: Mapping[str, Shape], names: Mapping[str, str], row: int
) -> dict[str, Tensor]:
    """A student's own part of packed tensors, as views, by the names of its tensors alone.

    `own` has the shapes of the student's tensors, `names` the packed name of each of its layers.
    """
    parts = {}
    for name, shape in own.items():
        layer, _, kind = name.rpartition(".")
        whole = f"{names[layer]}.{kind}"
        if whole in packed:
            parts[name] = packed[whole][row][tuple(map(slice, shape))]
    return parts


def wide(configs: Sequence[StudentConfig], block: int) -> list[int]:
    """The widths of a block in all the students that have it: the first ones."""
    return [config.channels[block] for config in configs if config.depth > block]


class PackedLinear(nn.Module):
    """A linear layer a student: [G, F in, B] or a shared [F in, B] to [G, F out, B].

    With the examples innermost no product needs a copy, forwards or backwards (studies/cohorts).
    """

    def __init__(self, students: int, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(students, fan_out, fan_in))
        self.bias = nn.Parameter(torch.zeros(students, fan_out))

    def forward(self, features_GFB: Tensor) -> Tensor:
        """One product for all students, or one for each."""
        bias_GF1 = self.bias[..., None]
        if features_GFB.ndim == 2:
            every_FB = torch.addmm(bias_GF1.flatten(0, 1), self.weight.flatten(0, 1), features_GFB)
            return every_FB.view(*self.bias.shape, -1)
        return torch.baddbmm(bias_GF1, self.weight, features_GFB)


class PackedConv(nn.Module):
    """A convolution over 3 (x 3) a student, without bias, its channels side by side: [B, G C, *X].

    The first one is given the example itself, which all students share.
    """

    def __init__(
        self, students: int, fan_in: int, fan_out: int, stride: int, sides: int, first: bool
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(students, fan_out, fan_in, *[3] * sides))
        self.stride, self.sides, self.groups = stride, sides, 1 if first else students

    def forward(self, maps_BCX: Tensor) -> Tensor:
        """A group of channels a student."""
        weight = self.weight.flatten(0, 1)
        return CONVOLVE[self.sides](maps_BCX, weight, None, self.stride, 1, 1, self.groups)


class PackedNorm(nn.Module):
    """Batch norm of all students' channels at once; it is exact, for each channel is its own."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, students: int, width: int) -> None:
        super().__init__()
        self.momentum = 0.1
        self.weight = nn.Parameter(torch.zeros(students, width))
        self.bias = nn.Parameter(torch.zeros(students, width))
        self.register_buffer("running_mean", torch.zeros(students, width))
        self.register_buffer("running_var", torch.ones(students, width))
        self.register_buffer("num_batches_tracked", torch.zeros(students, dtype=torch.long))

    def forward(self, maps_BCX: Tensor) -> Tensor:
        """As nn.BatchNorm2d."""
        if self.training:
            self.num_batches_tracked += 1
        return batch_norm(
            maps_BCX,
            self.running_mean.view(-1),
            self.running_var.view(-1),
            self.weight.view(-1),
            self.bias.view(-1),
            self.training,
            self.momentum,
        )


def widened(features_GFB: Tensor, width: int) -> Tensor:
    """The features, with zeros up to a common width."""
    return pad(features_GFB, (0, 0, 0, width - features_GFB.shape[1]))
