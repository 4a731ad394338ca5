"""What a network computes, step by step, and the range of each value that needs a code.

Suffixes: B examples, R values that need a code, X the sides of a map.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn

from nas_kd.costs.budgets import Shape
from nas_kd.students.quantised.chains import CLAMPS, Chain, chains, evaluating, traced, unlike
from nas_kd.students.quantised.operations import HIGH, LOW, Code, single

MOST = 1e30
"""A range ends here, also where values explode."""

CODED = frozenset({"input", "norm", "add", "multiply", "mean", "average", "lookup", *CLAMPS})
"""Chains whose end always gets a code of its own."""


class Observer(fx.Interpreter):
    """Runs a network's graph, and keeps the shape of each tensor and the range of some."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.shapes: dict[fx.Node, Shape] = {}
        self.ranges: dict[fx.Node, tuple[float, float]] = {}
        self.watched: frozenset[fx.Node] = frozenset()

    def run_node(self, n: fx.Node) -> Any:
        """Run an operation, and look at what it gives."""
        found = super().run_node(n)
        if isinstance(found, Tensor):
            self.shapes[n] = tuple(found.shape)
            if n in self.watched:
                low, high = (float(end) for end in found.aminmax())
                before = self.ranges.get(n, (0.0, 0.0))
                self.ranges[n] = min(before[0], low), max(before[1], high)
        return found


@dataclass(frozen=True, slots=True)
class Plan:
    """A network's graph, its chains, and the shape of what each node gives for one example."""

    graph: fx.GraphModule
    chains: tuple[Chain, ...]
    shapes: Mapping[fx.Node, Shape]

    @property
    def coded(self) -> tuple[fx.Node, ...]:
        """The nodes whose range is needed."""
        return tuple(chain.end for chain in self.chains if has_code(self, chain))

    def reads(self, chain: Chain) -> tuple[fx.Node, ...]:
        """The values that a chain reads, in order; of a product the larger one first."""
        node = chain.first
        given = (*node.args, *node.kwargs.values())
        found = [one for one in given if isinstance(one, fx.Node) and one in self.shapes]
        if chain.kind == "multiply":
            found.sort(key=lambda one: -prod(self.shapes[one]))
        return tuple(found)


def has_code(plan: Plan, chain: Chain) -> bool:
    """Whether what a chain gives has a code of its own: logits have none, and the largest of a
    window has that of what it reads."""
    if chain.kind == "weighted":
        logits = not chain.clamped and [user.op for user in chain.end.users] == ["output"]
        return not logits or len(plan.shapes[chain.end]) != 1
    return chain.kind in CODED


@torch.no_grad()
def planned(network: nn.Module, input_shape: Shape) -> Plan:
    """The chains of a network, which is on the CPU and keeps its mode. Raises Unusable for an
    operation that cannot be quantised."""
    graph = traced(network)
    observer = Observer(graph)
    with evaluating(graph):
        observer.run(torch.zeros(2, *input_shape))
    found = tuple(chains(graph, frozenset(observer.shapes)))
    for node, shape in observer.shapes.items():
        if shape[:1] != (2,) or len(shape) < 2:
            raise unlike(node, f"gives {shape} for 2 examples")
    shapes = {node: shape[1:] for node, shape in observer.shapes.items()}
    plan = Plan(graph, found, shapes)
    for chain in found:
        if chain.kind != "input" and not plan.reads(chain):
            raise unlike(chain.first, "is a part of something that is no tensor")
    return plan


@torch.no_grad()
def ranges_of(plan: Plan, pieces: Iterable[Tensor]) -> Tensor:
    """The least and the greatest value [R, 2] of each node that needs a code, over the normalised
    examples [B, *X] of all pieces; both sides of zero."""
    observer = Observer(plan.graph)
    observer.watched = frozenset(plan.coded)
    with evaluating(plan.graph):
        for piece_BX in pieces:
            observer.run(piece_BX)
    found = [observer.ranges[node] for node in plan.coded]
    return torch.tensor(found, dtype=torch.float32).nan_to_num(0.0, MOST, -MOST)


def code_of(low: float, high: float) -> Code:
    """The code of numbers within a range, which has zero among them."""
    low, high = max(min(low, 0.0), -MOST), min(max(high, 0.0), MOST)
    scale = single((high - low) / (HIGH - LOW))
    if not scale > 0:
        scale = 1.0
    return Code(scale, int(max(LOW, min(HIGH, round(LOW - low / scale)))))
