"""Quantisation-aware training: a network that computes in floats what it will compute in 8 bits.

Weights and activations are rounded to their codes in the forward pass, and the gradient passes
through the rounding as if it were not there, the straight-through estimator (Jacob et al. 2018,
section 3, https://arxiv.org/abs/1712.05877). Norms are not folded while the network trains: with a
code for each output channel, rounding the raw weight is rounding the folded one.

Suffixes: B examples, O channels out, I channels in, K the sides of a kernel, R values that need a
code, X the sides of a map.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nas_kd.costs.budgets import Shape
from nas_kd.students.quantised.chains import layer
from nas_kd.students.quantised.operations import HIGH, LOW
from nas_kd.students.quantised.plan import MOST, code_of, planned

RANGE = "nas_kd_range_"
"""Modules of this name hold the range of one value."""

MOMENTUM = 0.02
"""By this share a range moves to that of each batch."""


class Rounded(nn.Module):
    """Rounds a value to the code of its range, which it follows in training."""

    low: Tensor
    high: Tensor
    scale: Tensor
    zero: Tensor
    on: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(torch.inf))
        self.register_buffer("high", torch.tensor(-torch.inf))
        for name, value, kind in (("scale", 1, torch.float), ("zero", 0, torch.int32)):
            self.register_buffer(name, torch.tensor([value], dtype=kind), persistent=False)
        self.register_buffer("on", torch.ones(1, dtype=torch.int64), persistent=False)

    def forward(self, value_BX: Tensor) -> Tensor:
        """[B, *X] to the same."""
        if self.training:
            rounded_BX: Tensor = torch.fused_moving_avg_obs_fake_quant(
                value_BX, self.on, self.on, self.low, self.high, self.scale, self.zero, MOMENTUM,
                LOW, HIGH, 0,
            )  # fmt: skip
            return rounded_BX
        code = code_of(*self.ends())
        found_BX: Tensor = torch.fake_quantize_per_tensor_affine(
            value_BX, code.scale, code.zero, LOW, HIGH
        )
        return found_BX

    def ends(self) -> tuple[float, float]:
        """The range, both sides of zero."""
        return min(0.0, float(self.low)), max(0.0, float(self.high))


def rounded(weight_OIK: Tensor) -> Tensor:
    """A weight, rounded to the code of each output channel."""
    with torch.no_grad():
        scale_O = weight_OIK.abs().flatten(1).amax(1) / HIGH
        scale_O = torch.where(scale_O > 0, scale_O, 1.0)
        zero_O = torch.zeros_like(scale_O, dtype=torch.int32)
    rounded_OIK: Tensor = torch.fake_quantize_per_channel_affine(
        weight_OIK, scale_O, zero_O, 0, -HIGH, HIGH
    )
    return rounded_OIK


class RoundedConv1d(nn.Conv1d):
    """A convolution whose weights are rounded."""

    def forward(self, input: Tensor) -> Tensor:
        """[B, I, L] to [B, O, L]."""
        convolved: Tensor = self._conv_forward(input, rounded(self.weight), self.bias)
        return convolved


class RoundedConv2d(nn.Conv2d):
    """A convolution whose weights are rounded."""

    def forward(self, input: Tensor) -> Tensor:
        """[B, I, H, W] to [B, O, H, W]."""
        convolved: Tensor = self._conv_forward(input, rounded(self.weight), self.bias)
        return convolved


class RoundedLinear(nn.Linear):
    """A linear layer whose weights are rounded."""

    def forward(self, input: Tensor) -> Tensor:
        """[B, I] to [B, O]."""
        return nn.functional.linear(input, rounded(self.weight), self.bias)


ROUNDED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: RoundedConv1d,
    nn.Conv2d: RoundedConv2d,
    nn.Linear: RoundedLinear,
}


def aware(network: nn.Module, input_shape: Shape) -> nn.Module:
    """A network on the CPU as one that rounds; its layers are taken over, and its parameters keep
    their names. Functions of dropout, unlike layers, are left out.

    Raises Unusable for a network that cannot be quantised.
    """
    training = network.training
    plan = planned(network, input_shape)
    graph = plan.graph.graph
    for number, node in enumerate(plan.coded):
        plan.graph.add_submodule(f"{RANGE}{number}", Rounded())
        with graph.inserting_after(node):
            one = graph.call_module(f"{RANGE}{number}", (node,))
        for user in [user for user in node.users if user is not one]:
            user.replace_input_with(node, one)
    for chain in plan.chains:
        if chain.kind == "weighted":
            part: Any = layer(plan.graph, chain.first)
            part.__class__ = ROUNDED.get(type(part), type(part))
    graph.lint()
    plan.graph.recompile()
    return plan.graph.train(training)


def without_ranges(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state without the ranges: that of the network without rounding."""
    return {name: value for name, value in state.items() if not name.startswith(RANGE)}


def only_ranges(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The ranges alone, by their names in the state."""
    return {name: value for name, value in state.items() if name.startswith(RANGE)}


def ranges_in(network: nn.Module) -> Tensor:
    """The range [R, 2] of each value of a network that rounds."""
    found = [part.ends() for part in network.modules() if isinstance(part, Rounded)]
    return torch.tensor(found, dtype=torch.float32).nan_to_num(0.0, MOST, -MOST)
