"""What a network's traced graph is made of, as far as it can be quantised.

A chain is an operation with the norm and the clamp that follow it and that nobody else reads: it
becomes one step, and only what a chain gives at its end is quantised.
"""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from nas_kd.errors import Unusable

MODULES: dict[type[nn.Module], str] = {
    nn.Conv1d: "weighted", nn.Conv2d: "weighted", nn.Linear: "weighted",
    nn.BatchNorm1d: "norm", nn.BatchNorm2d: "norm",
    nn.ReLU: "relu", nn.ReLU6: "relu6",
    nn.Dropout: "same", nn.Dropout1d: "same", nn.Dropout2d: "same", nn.Identity: "same",
    nn.Flatten: "reshape", nn.Unflatten: "reshape",
    nn.AdaptiveAvgPool1d: "mean", nn.AdaptiveAvgPool2d: "mean",
    nn.MaxPool1d: "largest", nn.MaxPool2d: "largest",
    nn.AvgPool1d: "average", nn.AvgPool2d: "average",
}  # fmt: skip

FUNCTIONS: dict[Any, str] = {
    torch.relu: "relu", functional.relu: "relu", functional.relu6: "relu6",
    operator.add: "add", operator.iadd: "add", torch.add: "add",
    operator.mul: "multiply", operator.imul: "multiply", torch.mul: "multiply",
    torch.flatten: "reshape", torch.reshape: "reshape", torch.squeeze: "reshape",
    functional.dropout: "same",
    functional.adaptive_avg_pool1d: "mean", functional.adaptive_avg_pool2d: "mean",
    torch.mean: "mean",
    functional.max_pool1d: "largest", functional.max_pool2d: "largest",
    functional.avg_pool1d: "average", functional.avg_pool2d: "average",
    operator.getitem: "stride", functional.pad: "pad",
}  # fmt: skip

METHODS = {
    "relu": "relu", "relu_": "relu", "add": "add", "add_": "add", "mul": "multiply",
    "mul_": "multiply", "flatten": "reshape", "view": "reshape", "reshape": "reshape",
    "squeeze": "reshape", "unflatten": "reshape", "contiguous": "same", "mean": "mean",
}  # fmt: skip

ELEMENTWISE = (
    nn.Hardsigmoid, nn.Hardswish, nn.Sigmoid, nn.Tanh, nn.SiLU, nn.GELU, nn.LeakyReLU, nn.ELU,
    nn.Softplus, nn.Mish,
)  # fmt: skip
"""Layers that compute each number from one number, which become a table."""

FUNCTIONS |= dict.fromkeys(
    (
        functional.hardsigmoid, functional.hardswish, torch.sigmoid, functional.sigmoid, torch.tanh,
        functional.tanh, functional.silu, functional.gelu, functional.leaky_relu, functional.elu,
        functional.softplus, functional.mish,
    ),
    "lookup",
)  # fmt: skip
METHODS |= {"sigmoid": "lookup", "tanh": "lookup"}

CLAMPS = frozenset({"relu", "relu6"})

BEGIN = frozenset({"weighted", "norm", "add", "multiply"})
"""What a clamp can follow in one step."""

IN_PLACE = frozenset({operator.iadd, operator.imul})

RIGHT = "Search it with --fix bits=32, or replace the layer."


@dataclass(frozen=True, slots=True)
class Chain:
    """An operation, with what follows it in one step."""

    kind: str
    first: fx.Node
    norm: fx.Node | None
    clamped: bool
    end: fx.Node


def traced(network: nn.Module) -> fx.GraphModule:
    """A network as a graph of its layers, as it computes in eval mode; the network keeps its mode.

    Raises Unusable where its path depends on the values, and for a value that is written over
    although it is read later.
    """
    graph = graph_of(network, "quantised", RIGHT)
    expect_pure(graph)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def graph_of(network: nn.Module, made: str, right: str) -> fx.GraphModule:
    """A network's graph in eval mode. Raises Unusable, which says that the student cannot be made
    something, and what would be right, where its path depends on the values."""
    try:
        with evaluating(network):
            return fx.symbolic_trace(network)
    except (fx.proxy.TraceError, TypeError, RuntimeError, AttributeError) as error:
        wrong = f"cannot be {made}: its path depends on values ({error})"
        raise Unusable("the student", wrong, right) from error


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """A network in eval mode inside the block, each part in its own mode after it."""
    modes = [(part, part.training) for part in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def expect_pure(graph: fx.GraphModule) -> None:
    """Raise Unusable for an operation that writes over a value that another one reads later."""
    place = {node: number for number, node in enumerate(graph.graph.nodes)}
    for node in graph.graph.nodes:
        if not in_place(graph, node) or not node.all_input_nodes:
            continue
        for over in same_memory(graph, node.all_input_nodes[0]):
            if any(place[user] > place[node] for user in over.users):
                wrong = f"cannot be quantised: {node.name} writes over what is read later"
                raise Unusable("the student", wrong, "Write it without inplace, as a new value.")


def same_memory(graph: fx.GraphModule, node: fx.Node) -> Iterator[fx.Node]:
    """A value, and those of which it is only another shape or a part."""
    yield node
    while kind_of(graph, node) in ("reshape", "same", "stride") and node.all_input_nodes:
        node = node.all_input_nodes[0]
        yield node


def in_place(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether an operation writes over what it reads."""
    if node.op == "call_module":
        return bool(getattr(layer(graph, node), "inplace", False))
    if node.op == "call_method":
        return str(node.target).endswith("_")
    said = node.kwargs.get("inplace") or (
        FUNCTIONS.get(node.target) in CLAMPS and True in node.args[1:2]
    )
    return node.op == "call_function" and bool(said or node.target in IN_PLACE)


def layer(graph: fx.GraphModule, node: fx.Node) -> nn.Module:
    """The layer that a node calls."""
    return graph.get_submodule(str(node.target))


def kind_of(graph: fx.GraphModule, node: fx.Node) -> str:
    """What a node does; empty if it cannot be quantised."""
    match node.op:
        case "placeholder":
            return "input"
        case "call_module":
            part = layer(graph, node)
            known = next((kind for one, kind in MODULES.items() if isinstance(part, one)), "")
            return known or ("lookup" if isinstance(part, ELEMENTWISE) else "")
        case "call_function":
            return FUNCTIONS.get(node.target, "")
        case "call_method":
            return METHODS.get(str(node.target), "")
    return ""


def chains(graph: fx.GraphModule, tensors: frozenset[fx.Node]) -> Iterator[Chain]:
    """The chains of a network in the order in which they are computed, of those nodes that give
    tensors. Raises Unusable for an operation that cannot be quantised."""
    inside: set[fx.Node] = set()
    for node in graph.graph.nodes:
        if node.op == "output" or node in inside or node not in tensors:
            continue
        chain = from_node(graph, node)
        if not chain.kind:
            raise unknown(graph, node)
        inner = chain.end
        while inner is not node:
            inside.add(inner)
            inner = inner.all_input_nodes[0]
        yield chain


def from_node(graph: fx.GraphModule, node: fx.Node) -> Chain:
    """The chain that a node begins."""
    kind, end = kind_of(graph, node), node
    norm, clamped = (node if kind == "norm" else None), False
    while kind in BEGIN and len(end.users) == 1:
        (user,) = end.users
        after = kind_of(graph, user)
        if after == "norm" and kind == "weighted" and norm is None and not clamped:
            norm = user
        elif after in CLAMPS and not clamped:
            clamped = True
        elif after != "same":
            break
        end = user
    return Chain(kind, node, norm, clamped, end)


def unknown(graph: fx.GraphModule, node: fx.Node) -> Unusable:
    """The error that names an operation that cannot be quantised."""
    called = str(node.target)
    if node.op == "call_module":
        called = f"the layer {node.target!r} ({type(layer(graph, node)).__name__})"
    elif node.op == "call_function":
        called = f"the function {getattr(node.target, '__name__', node.target)} ({node.name})"
    elif node.op == "get_attr":
        called = f"the parameter {node.target!r} outside of layers"
    elif node.op == "call_method":
        called = f"the method {node.target} ({node.name})"
    return Unusable("the student", f"cannot be quantised: {called} is not among what 8 bits have",
                    RIGHT)  # fmt: skip


def unlike(node: fx.Node, what: str) -> Unusable:
    """The error for an operation of a form that 8 bits do not have."""
    return Unusable("the student", f"cannot be quantised: {node.name} {what}", RIGHT)
