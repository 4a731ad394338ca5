"""Parameters, MACs and memory of a network, counted by what it does, never by what it is called."""

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.backends import mha
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from nas_kd.costs.budgets import FLOAT, Counts, Shape


class Counter(TorchDispatchMode):
    """Adds up what torch's own formulas say of each operation.

    torch's FlopCounterMode does the same, and loads torch's compiler to do it: half a second to
    more than one (studies/overhead).
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run an operation and add its FLOPs.

        If torch has no FLOP formula for it, it is decomposed if possible, and its parts are
        counted.
        """
        named = kwargs or {}
        formula = flop_registry.get(func._overloadpacket)
        if formula is None:
            with self:
                made = func.decompose(*args, **named)
            if made is not NotImplemented:
                return made
        out = func(*args, **named)
        if formula is not None:
            self.flops += formula(*args, **named, out_val=out)
        return out


def measure(network: nn.Module, input_shape: Shape) -> tuple[int, int]:
    """Parameters, frozen ones too, and MACs of one example.

    A network that was built on `meta` is given memory first, but no values.
    """
    network = with_memory(network)
    fast = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)  # fused attention has no formula
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), Counter() as counter:
            network(torch.zeros((2, *input_shape)))
    finally:
        mha.set_fastpath_enabled(fast)
    return sum(p.numel() for p in network.parameters()), counter.flops // 4


def with_memory(network: nn.Module) -> nn.Module:
    """A network that was built on `meta` with memory, but no values.

    `to_empty` does the same by way of torch's reference operations, which load sympy first: half a
    second.
    """
    if not any(p.is_meta for p in network.parameters()):
        return network
    filled: nn.Module = network._apply(
        lambda value: torch.empty(value.shape, dtype=value.dtype, device="cpu")
    )
    return filled


def counted(network: nn.Module, input_shape: Shape) -> Counts:
    """All counts of a network without a closed form.

    Weights are tensors of two or more dimensions, with one bias a row (norms fold into it).
    """
    network = with_memory(network)
    size = measure(network, input_shape)
    return Counts(*size, *folded(network), *activations(network, input_shape))


def folded(network: nn.Module) -> tuple[int, int]:
    """The weights of a network, and its biases once norms are folded into them."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    return sum(weight.numel() for weight in weights), sum(len(weight) for weight in weights)


IN_PLACE = (
    nn.modules.batchnorm._BatchNorm, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Sigmoid,
    nn.Hardsigmoid, nn.Hardswish, nn.Dropout, nn.Flatten, nn.Unflatten, nn.Identity,
)  # fmt: skip
"""Modules that write over what they read, or only look at it in another way."""

ELEMENTWISE = {
    torch.add, torch.mul, torch.relu, torch.flatten, functional.relu, functional.relu6,
    functional.leaky_relu, functional.gelu, functional.silu, functional.dropout, operator.add,
    operator.iadd, operator.mul, operator.imul, operator.getitem, getattr,
}  # fmt: skip
"""Functions of which the same is true."""

METHODS = {
    "relu",
    "relu_",
    "add_",
    "mul_",
    "add",
    "mul",
    "flatten",
    "view",
    "reshape",
    "unflatten",
    "movedim",
}
"""Methods of which the same is true."""


def activations(network: nn.Module, input_shape: Shape) -> tuple[int, int]:
    """How many numbers are in memory at once while the network answers one example, at most; and
    how many bytes, if each takes one but for the logits, which are floats.

    An operation needs what it reads, what it writes, and what later ones will read; elementwise
    ones and views work in place where nobody else reads the same, and it is as large. Raises what
    torch.fx raises for a network whose path depends on the values.
    """
    graph = fx.symbolic_trace(network).graph
    shapes = Sizes(fx.GraphModule(network, graph))
    with torch.no_grad():
        shapes.run(torch.zeros((2, *input_shape)))
    (answer,) = (node for node in graph.nodes if node.op == "output")
    floats = {node: FLOAT * shapes.sizes[node] for node in answer.all_input_nodes}
    return most_alive(network, graph, shapes.sizes), most_alive(
        network, graph, shapes.sizes | floats
    )


def most_alive(network: nn.Module, graph: fx.Graph, sizes: Mapping[fx.Node, int]) -> int:
    """The most that is alive at once, where each value is as large as this."""
    holders: dict[fx.Node, fx.Node] = {}  # whose memory a value lies in
    last = {
        user: number for number, node in enumerate(graph.nodes) for user in node.all_input_nodes
    }
    most = 0
    for number, node in enumerate(graph.nodes):
        if node.op == "output":
            break
        read = [one for one in node.all_input_nodes if one in holders]
        free = [one for one in read if last[one] == number and shared(holders, one, last, number)]
        over = max(free, key=lambda one: sizes[one], default=None)
        fits = over is not None and sizes[over] >= sizes[node]
        holders[node] = holders[over] if over and fits and in_place(network, node) else node
        alive = {holders[one] for one in holders if last.get(one, -1) >= number or one is node}
        most = max(most, sum(sizes[holder] for holder in alive))
    return most


def shared(
    holders: Mapping[fx.Node, fx.Node], one: fx.Node, last: Mapping[fx.Node, int], number: int
) -> bool:
    """Whether nobody reads after `number` what lies in the same memory."""
    return all(last.get(n, -1) <= number for n, h in holders.items() if h is holders[one])


def in_place(network: nn.Module, node: fx.Node) -> bool:
    """Whether an operation can write over what it reads."""
    if node.op == "call_module":
        return isinstance(network.get_submodule(str(node.target)), IN_PLACE)
    return node.target in (METHODS if node.op == "call_method" else ELEMENTWISE)


class Sizes(fx.Interpreter):
    """Runs a graph and records how many elements each computed tensor has for one example."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.sizes: dict[fx.Node, int] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run an operation, and note the size of what it gives."""
        found = super().run_node(n)
        computed = isinstance(found, Tensor) and n.op != "get_attr"  # which is a weight
        self.sizes[n] = found.numel() // 2 if computed else 0
        return found
