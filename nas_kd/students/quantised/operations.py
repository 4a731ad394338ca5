"""Operations on 8-bit integers: what a quantised student computes, to the bit.

A number x is stored as an int8 q by a code, x = scale * (q - zero) (Jacob et al. 2018,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
section 2.1, https://arxiv.org/abs/1712.05877). Products are summed as integers, exactly; a sum is
brought to the next code by one float32 multiplication, rounded half to even, as C's lrintf does.
So an operation has one right answer, here and in C.

Integers are carried in float tensors, which hold them exactly: torch convolves those fast.

Suffixes: B examples, O channels out, C channels, X the sides of a map (none, if it is a vector).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nas_kd.costs.budgets import Shape

LOW, HIGH = -128, 127
"""The ends of int8."""

EXACT = 2**24
"""Integers up to this are exact in float32."""


@dataclass(frozen=True, slots=True)
class Code:
    """How an int8 q stands for a number: scale * (q - zero)."""

    scale: float
    """A float32."""
    zero: int


def requantised(real_BX: Tensor, zero: int) -> Tensor:
    """Numbers in units of a code's scale, as integers of that code."""
    return (real_BX.round() + zero).clamp(LOW, HIGH)


def by_channel(values_C: Tensor, sides: int) -> Tensor:
    """A value a channel as [C, 1, ...], for maps of so many sides."""
    return values_C.view(-1, *[1] * sides)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Normalises the examples as they are stored, and quantises them: x * gain + offset."""

    gain_C: Tensor
    offset_C: Tensor
    mean_C: Tensor
    scale_C: Tensor
    """Of the normalisation, which is (x - mean) * scale."""
    out: Code

    def run(self, *read: Tensor) -> Tensor:
        """Integers of examples [B, C, *X] as stored."""
        (examples_BX,) = read
        sides, device = examples_BX.ndim - 2, examples_BX.device
        gained_BX = examples_BX.float() * by_channel(self.gain_C.to(device), sides)
        return requantised(gained_BX + by_channel(self.offset_C.to(device), sides), 0)


CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {1: functional.conv1d, 2: functional.conv2d}


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """A convolution, or a linear layer, with the norm and the ReLU that follow it.

    What a ReLU cuts off lies outside of the code: the least that it gives is zero, so zero is -128.
    """

    weight_OIK: Tensor
    """int8; the kernel's sides are none for a linear layer."""
    bias_O: Tensor
    """int32, in units of a product."""
    weight_scale_O: Tensor
    read: Code
    out: Code | None
    stride: Shape = ()
    padding: Shape = ()
    dilation: Shape = ()
    groups: int = 1

    @property
    def multipliers(self) -> Tensor:
        """From a sum to what is given, [O]."""
        unit = 1.0 if self.out is None else self.out.scale
        return (self.weight_scale_O.double() * self.read.scale / unit).float()

    @property
    def largest_sum(self) -> int:
        """No partial sum of any channel is larger."""
        sums_O = self.weight_OIK.double().abs().flatten(1).sum(1) * (HIGH - LOW)
        return int((sums_O + self.bias_O.double().abs()).max())

    @property
    def pointwise(self) -> bool:
        """Whether each number given depends on the one in its place alone."""
        alone = self.groups == len(self.weight_OIK) and self.weight_OIK[0].numel() == 1
        sides = self.weight_OIK.ndim - 2
        return bool(alone and sides and set(self.stride) == {1} and set(self.padding) == {0})

    def run(self, *read: Tensor) -> Tensor:
        """Integers [B, O, *X], or logits [B, O]."""
        (integers_BX,) = read
        mkldnn = torch.backends.mkldnn
        exact = integers_BX.device.type == "cpu" and mkldnn.is_available() and mkldnn.enabled
        fast = exact and self.largest_sum < EXACT
        kind = torch.float32 if fast else torch.float64
        device = integers_BX.device
        moved_BX = integers_BX.to(kind) - self.read.zero
        weight_OIK, bias_O = self.weight_OIK.to(device, kind), self.bias_O.to(device, kind)
        sides = weight_OIK.ndim - 2
        if sides:
            convolve = CONVOLUTIONS[sides]
            sum_BOX = convolve(moved_BX, weight_OIK, None, self.stride, self.padding,
                               self.dilation, self.groups)  # fmt: skip
        else:
            sum_BOX = moved_BX @ weight_OIK.T
        if not fast:
            sum_BOX = sum_BOX.round()  # what is no oneDNN may convolve by transforms
        sum_BOX = sum_BOX + by_channel(bias_O, sides)
        real_BOX = sum_BOX.float() * by_channel(self.multipliers.to(device), sides)
        if self.out is None:
            return real_BOX
        return requantised(real_BOX, self.out.zero)


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of two maps of one shape."""

    left: Code
    right: Code
    out: Code

    def run(self, *read: Tensor) -> Tensor:
        """Integers of the same shape."""
        sums = [
            (one_BX - code.zero) * ratio(code.scale, self.out.scale)
            for one_BX, code in zip(read, (self.left, self.right), strict=True)
        ]
        return requantised(sums[0] + sums[1], self.out.zero)


@dataclass(frozen=True, slots=True)
class Multiply:
    """A map [C, *X] times a map of its shape, or times one number a channel [C, 1, ...]."""

    left: Code
    right: Code
    out: Code

    @property
    def multiplier(self) -> float:
        """From a product to what is given."""
        return single(self.left.scale * self.right.scale / self.out.scale)

    def run(self, *read: Tensor) -> Tensor:
        """Integers of the larger shape."""
        left_BX, right_BX = read
        product_BX = (left_BX - self.left.zero) * (right_BX - self.right.zero)
        return requantised(product_BX * self.multiplier, self.out.zero)


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean over all positions of a map."""

    read: Code
    out: Code
    positions: int
    keeps_sides: bool = True

    @property
    def multiplier(self) -> float:
        """From a sum over positions to what is given."""
        return single(self.read.scale / (self.out.scale * self.positions))

    def run(self, *read: Tensor) -> Tensor:
        """Integers [B, C, 1, ...], or [B, C]."""
        (integers_BX,) = read
        over = tuple(range(2, integers_BX.ndim))
        sum_BX = (integers_BX - self.read.zero).double().sum(over, keepdim=self.keeps_sides)
        return requantised(sum_BX.float() * self.multiplier, self.out.zero)


@dataclass(frozen=True, slots=True)
class Pool:
    """The largest, or the mean, of each window of a map; what lies outside does not count, or
    counts as zero."""

    read: Code
    out: Code
    window: Shape
    stride: Shape
    padding: Shape
    largest: bool

    @property
    def multiplier(self) -> float:
        """From a window's sum to what is given."""
        return single(self.read.scale / (self.out.scale * prod(self.window)))

    def run(self, *read: Tensor) -> Tensor:
        """Integers [B, C, *X]."""
        (integers_BX,) = read
        sides = len(self.window)
        if self.largest:
            pool = (functional.max_pool1d, functional.max_pool2d)[sides - 1]
            return pool(integers_BX, self.window, self.stride, self.padding)
        channels = integers_BX.shape[1]
        ones_CIK = torch.ones((channels, 1, *self.window), device=integers_BX.device)
        sum_BX = CONVOLUTIONS[sides](integers_BX - self.read.zero, ones_CIK, None, self.stride,
                                     self.padding, 1, channels)  # fmt: skip
        return requantised(sum_BX * self.multiplier, self.out.zero)


@dataclass(frozen=True, slots=True)
class Lookup:
    """A function of one number, as a table of its 256 values."""

    name: str
    """The function's, such as hardsigmoid."""
    table: tuple[int, ...]
    """What the integers from -128 on are mapped to."""
    read: Code
    out: Code

    def run(self, *read: Tensor) -> Tensor:
        """Integers of the same shape."""
        (integers_BX,) = read
        table = torch.tensor(self.table, dtype=torch.float32, device=integers_BX.device)
        return table[(integers_BX - LOW).long()]


@dataclass(frozen=True, slots=True)
class Shift:
    """Every so many-th position of a map, with channels of zeros added before and after, or with
    channels left out (negative)."""

    out: Code
    steps: Shape
    before: int = 0
    after: int = 0

    def run(self, *read: Tensor) -> Tensor:
        """Integers [B, C + before + after, *X / steps], of the same code."""
        (integers_BX,) = read
        every: Any = (..., *(slice(None, None, step) for step in self.steps))
        around = (*[0] * (2 * len(self.steps)), self.before, self.after)
        return functional.pad(integers_BX[every], around, value=float(self.out.zero))


@dataclass(frozen=True, slots=True)
class Reshape:
    """The same numbers in another shape."""

    out: Code
    shape: Shape

    def run(self, *read: Tensor) -> Tensor:
        """Integers [B, *shape]."""
        (integers_BX,) = read
        return integers_BX.reshape(len(integers_BX), *self.shape)


@dataclass(frozen=True, slots=True)
class Dequantise:
    """Integers as the numbers for which they stand."""

    read: Code
    out: None = None

    def run(self, *read: Tensor) -> Tensor:
        """Logits [B, C]."""
        (integers_BX,) = read
        return (integers_BX - self.read.zero) * self.read.scale


def single(value: float) -> float:
    """A number rounded to float32."""
    return float(torch.tensor(value, dtype=torch.float64).float())


def ratio(one: float, other: float) -> float:
    """A ratio of two scales, rounded to float32."""
    return single(one / other)


Operation = Entry | Weighted | Add | Multiply | Mean | Pool | Lookup | Shift | Reshape | Dequantise
"""One step's arithmetic: `run` takes the integers that it reads and gives integers of the code
`out`, or logits where that is None."""


@dataclass(frozen=True, slots=True)
class Step:
    """An operation, what it reads by name, and the shape of what it gives for one example."""

    name: str
    operation: Operation
    reads: tuple[str, ...]
    shape: Shape
    layers: tuple[str, ...] = ()
    """The names of the network's layers that became this step."""


@dataclass(frozen=True, slots=True)
class Program:
    """A quantised student: steps in the order in which they are computed; the last gives logits."""

    steps: tuple[Step, ...]

    @torch.inference_mode()
    def __call__(self, examples_BX: Tensor) -> Tensor:
        """Logits [B, C] of examples as they are stored."""
        found: dict[str, Tensor] = {}
        for step, last in zip(self.steps, self.last_reads(), strict=True):
            read = [found[name] for name in step.reads] or [examples_BX]
            found[step.name] = step.operation.run(*read)
            for name in last:
                del found[name]
        return found[self.steps[-1].name]

    def last_reads(self) -> Sequence[tuple[str, ...]]:
        """For each step, what nobody reads after it."""
        last = {name: number for number, step in enumerate(self.steps) for name in step.reads}
        return [
            tuple(name for name in dict.fromkeys(step.reads) if last[name] == number)
            for number, step in enumerate(self.steps)
        ]
