"""The integer operation of each kind of chain, where its form is one that 8 bits have.

Weights are symmetric by output channel; norms are folded into the weights before them.

Suffixes: O channels out, C channels, I channels in, K the sides of a kernel, Q the values of int8.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas_kd.costs.budgets import Shape
from nas_kd.students.quantised.chains import CLAMPS, Chain, layer, unlike
from nas_kd.students.quantised.operations import (
    HIGH,
    LOW,
    Add,
    Code,
    Entry,
    Lookup,
    Mean,
    Multiply,
    Operation,
    Pool,
    Reshape,
    Shift,
    Weighted,
    by_channel,
)
from nas_kd.students.quantised.plan import Plan

MOST_BIAS = 2**30
"""A folded bias in units of a product is at most this."""

MOST_SUM = 2**31
"""Sums are int32."""


def entry(mean: Sequence[float], std: Sequence[float], out: Code) -> Entry:
    """The normalisation and the code of the input in one multiplication and one sum a channel."""
    mean_C, std_C = (torch.tensor(x, dtype=torch.float64) for x in (mean, std))
    gain_C = 1 / (std_C * out.scale)
    return Entry(gain_C.float(), (out.zero - mean_C * gain_C).float(), mean_C.float(),
                 (1 / std_C).float(), out)  # fmt: skip


def weighted(plan: Plan, chain: Chain, read: Sequence[Code], out: Code | None) -> Weighted:
    """A convolution or linear layer, with its norm folded in."""
    part: Any = layer(plan.graph, chain.first)
    convolution = isinstance(part, nn.Conv1d | nn.Conv2d)
    if convolution and (part.padding_mode != "zeros" or isinstance(part.padding, str)):
        raise unlike(chain.first, f"pads by {part.padding_mode}, {part.padding}")
    if not convolution and len(plan.shapes[chain.end]) != 1:
        raise unlike(chain.first, f"gives {plan.shapes[chain.end]}, no vector")
    weight_OIK = part.weight.detach().double()
    bias_O = torch.zeros(len(weight_OIK), dtype=torch.float64)
    if part.bias is not None:
        bias_O = part.bias.detach().double()
    if chain.norm is not None:
        gain_O, shift_O = running(norm_of(plan, chain.norm))
        weight_OIK = weight_OIK * by_channel(gain_O, weight_OIK.ndim - 1)
        bias_O = bias_O * gain_O + shift_O
    form: dict[str, Any] = {}
    if convolution:
        names = ("stride", "padding", "dilation", "groups")
        form = {name: getattr(part, name) for name in names}
    found = integers(weight_OIK, bias_O, read[0], out, form)
    if found.largest_sum >= MOST_SUM:
        raise unlike(chain.first, "has sums that int32 cannot hold")
    return found


def integers(
    weight_OIK: Tensor, bias_O: Tensor, read: Code, out: Code | None, form: Mapping[str, Any]
) -> Weighted:
    """Folded weights and biases as integers."""
    scale_O = weight_OIK.abs().flatten(1).amax(1) / HIGH
    scale_O = torch.maximum(scale_O, bias_O.abs() / (read.scale * MOST_BIAS)).float().double()
    scale_O = torch.where(scale_O > 0, scale_O, 1.0)
    integers_OIK = (weight_OIK / by_channel(scale_O, weight_OIK.ndim - 1)).round()
    integers_O = (bias_O / (scale_O * read.scale)).round()
    return Weighted(
        integers_OIK.clamp(-HIGH, HIGH).to(torch.int8), integers_O.to(torch.int32),
        scale_O.float(), read, out, **form,
    )  # fmt: skip


def norm_of(plan: Plan, node: fx.Node) -> _BatchNorm:
    """The batch norm of a node. Raises Unusable for one without running statistics."""
    norm = layer(plan.graph, node)
    assert isinstance(norm, _BatchNorm)
    if norm.running_mean is None:
        raise unlike(node, "has no running statistics")
    return norm


def running(norm: _BatchNorm) -> tuple[torch.Tensor, torch.Tensor]:
    """What a batch norm multiplies by and adds in eval mode, [C] each in float64."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain_C = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        gain_C = gain_C * norm.weight.double()
    shift_C = -norm.running_mean.double() * gain_C
    return gain_C, shift_C if norm.bias is None else shift_C + norm.bias.double()


def norm_alone(plan: Plan, chain: Chain, read: Sequence[Code], out: Code | None) -> Weighted:
    """A norm that follows no convolution, as a convolution of each channel by one number."""
    gain_C, shift_C = running(norm_of(plan, chain.first))
    sides = len(plan.shapes[chain.first]) - 1
    if not sides:
        raise unlike(chain.first, "is a norm of a vector that follows no linear layer")
    one, none = (1,) * sides, (0,) * sides
    form = {"stride": one, "padding": none, "dilation": one, "groups": len(gain_C)}
    return integers(by_channel(gain_C, sides + 1), shift_C, read[0], out, form)


def added(plan: Plan, chain: Chain, read: Sequence[Code], out: Code | None) -> Add:
    """A sum of two maps of one shape."""
    left, right = operands(plan, chain)
    if left != right:
        raise unlike(chain.first, f"adds {left} and {right}")
    assert out is not None
    return Add(read[0], read[1], out)


def multiplied(plan: Plan, chain: Chain, read: Sequence[Code], out: Code | None) -> Multiply:
    """A product of two maps of one shape, or of a map and one number a channel."""
    left, right = operands(plan, chain)
    alike = len(left) == len(right) and left[0] == right[0]
    if left != right and not (alike and all(side == 1 for side in right[1:])):
        raise unlike(chain.first, f"multiplies {left} by {right}")
    assert out is not None
    return Multiply(read[0], read[1], out)


def operands(plan: Plan, chain: Chain) -> tuple[Shape, Shape]:
    """The shapes of the two maps that a sum or product reads. Raises Unusable for other parts."""
    node, reads = chain.first, plan.reads(chain)
    if len(reads) != 2 or len(node.args) + len(node.kwargs) != 2:
        raise unlike(node, "has another part than two maps")
    return plan.shapes[reads[0]], plan.shapes[reads[1]]


def averaged(plan: Plan, chain: Chain, read: Sequence[Code], out: Code | None) -> Mean:
    """The mean over all positions. Raises Unusable for another mean."""
    node = chain.first
    before, after = plan.shapes[plan.reads(chain)[0]], plan.shapes[chain.end]
    if "mean" in str(getattr(node.target, "__name__", node.target)):
        said: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
        over = {
            dim % (len(before) + 1) for dim in ([said] if isinstance(said, int) else said or ())
        }
        right = over == {*range(2, len(before) + 1)}
    else:
        right = all(side == 1 for side in after[1:])
    if not right:
        raise unlike(node, f"is a mean from {before} to {after}, not over all positions")
    assert out is not None
    return Mean(read[0], out, prod(before[1:]), len(after) == len(before))


POOLED: Mapping[str, Any] = {
    "ceil_mode": False, "count_include_pad": True, "divisor_override": None, "dilation": 1,
    "return_indices": False,
}  # fmt: skip
"""What else pools can be told, and what it must be."""


def pooled(plan: Plan, chain: Chain, read: Sequence[Code], out: Code | None) -> Pool:
    """The largest or the mean of each window. Raises Unusable for a form that 8 bits lack."""
    node = chain.first
    sides = len(plan.shapes[plan.reads(chain)[0]]) - 1
    names = ("kernel_size", "stride", "padding")
    if node.op == "call_module":
        part: Any = layer(plan.graph, node)
        said = {name: getattr(part, name) for name in (*names, *POOLED) if hasattr(part, name)}
    else:
        said = {**dict(zip(names, node.args[1:4], strict=False)), **node.kwargs}
        said.pop("input", None)
    odd = len(node.args) > 4 or any(
        each(value, sides) != each(POOLED[name], sides)
        for name, value in said.items()
        if name not in names
    )
    if odd:
        raise unlike(node, "pools in a form that 8 bits do not have")
    window = each(said["kernel_size"], sides)
    stride = each(said["stride"], sides) if said.get("stride") else window
    largest = chain.kind == "largest"
    code = read[0] if largest else out
    assert code is not None
    return Pool(read[0], code, window, stride, each(said.get("padding", 0), sides), largest)


def each(value: Any, sides: int) -> tuple[Any, ...]:
    """A value for each side, where one may stand for all."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return values * sides if len(values) == 1 else values


def looked_up(plan: Plan, chain: Chain, read: Sequence[Code], out: Code | None) -> Lookup:
    """The table of a function of one number."""
    node = chain.first
    assert out is not None
    integers_Q = torch.arange(LOW, HIGH + 1, dtype=torch.float64)
    numbers_Q = (integers_Q - read[0].zero) * read[0].scale
    called: Any = layer(plan.graph, node) if node.op == "call_module" else node.target
    if node.op == "call_module":
        given_Q, name = called(numbers_Q), type(called).__name__.lower()
    elif node.op == "call_method":
        given_Q, name = getattr(numbers_Q.clone(), called)(), called.rstrip("_")
    else:
        given_Q, name = called(numbers_Q.clone(), *node.args[1:], **node.kwargs), called.__name__
    table_Q = (given_Q / out.scale).round() + out.zero
    return Lookup(name, tuple(map(int, table_Q.clamp(LOW, HIGH).tolist())), read[0], out)


def strided(plan: Plan, chain: Chain, read: Sequence[Code], out: Code | None) -> Shift:
    """Every so many-th position. Raises Unusable for another choice of positions."""
    node = chain.first
    chosen: Any = node.args[1]
    sides = len(plan.shapes[plan.reads(chain)[0]]) - 1
    chosen = chosen if isinstance(chosen, tuple) else (chosen,)
    whole = slice(None, None, None)
    if chosen[:1] == (Ellipsis,):
        chosen = (whole, whole, *chosen[1:])
    steps = [one.step or 1 for one in chosen[2:] if isinstance(one, slice)]
    first = tuple(slice(None, None, step) for step in steps)
    if not sides or chosen != (whole, whole, *first) or len(steps) != sides:
        raise unlike(node, "takes a part of a map")
    return Shift(read[0], tuple(steps))


def padded(plan: Plan, chain: Chain, read: Sequence[Code], out: Code | None) -> Shift:
    """Channels of zeros before and after. Raises Unusable for other paddings."""
    node = chain.first
    around: Any = node.args[1] if len(node.args) > 1 else node.kwargs["pad"]
    sides = len(plan.shapes[plan.reads(chain)[0]]) - 1
    zeros = len(node.args) < 3 and not node.kwargs.get("value") and (
        node.kwargs.get("mode", "constant") == "constant"
    )  # fmt: skip
    if not zeros or len(around) != 2 * sides + 2 or any(around[: 2 * sides]):
        raise unlike(node, "pads something else than channels")
    return Shift(read[0], (1,) * sides, *around[2 * sides :])


def reshaped(plan: Plan, chain: Chain, read: Sequence[Code], out: Code | None) -> Reshape:
    """The same numbers in another shape."""
    return Reshape(read[0], plan.shapes[chain.end])


Form = Callable[[Plan, Chain, Sequence[Code], Code | None], Operation]

FORMS: Mapping[str, Form] = {
    "weighted": weighted, "norm": norm_alone, "add": added, "multiply": multiplied,
    "mean": averaged, "largest": pooled, "average": pooled, "lookup": looked_up,
    "stride": strided, "pad": padded, "reshape": reshaped, **dict.fromkeys(CLAMPS, looked_up),
}  # fmt: skip
"""What a chain becomes, by its kind."""
