"""A quantised student as ONNX: each operation between DequantizeLinear and QuantizeLinear, the form
from which runtimes and vendors' tools make integer kernels.

The file takes float32 examples as they are stored, [batch, *shape], and gives logits; the
normalisation is inside. Weights are int8 by output channel, biases int32.

Trap: a scale of one number must have no dimension, or sums are not fused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nas_kd.costs.budgets import Shape
from nas_kd.students.quantised.operations import (
    LOW,
    Add,
    Code,
    Dequantise,
    Entry,
    Lookup,
    Mean,
    Multiply,
    Pool,
    Program,
    Reshape,
    Shift,
    Step,
    Weighted,
    by_channel,
)

OPSET, IR = 17, 8
"""Old enough for vendors' tools."""

LAST = 2**31 - 1

FUNCTIONS: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "hardsigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hardswish": ("HardSwish", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "relu": ("Relu", {}),
}
"""Functions of one number that ONNX has under these names; others are looked up in a table."""


@dataclass(slots=True)
class Graph:
    """An ONNX graph as it is written."""

    onnx: ModuleType
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """The name of a constant."""
        self.constants[name] = self.onnx.numpy_helper.from_array(values, name)
        return name

    def node(self, kind: str, reads: list[str], gives: str, **attributes: Any) -> str:
        """The name of what an operation gives."""
        name = f"{gives}/{kind}"
        self.nodes.append(self.onnx.helper.make_node(kind, reads, [gives], name, **attributes))
        return gives

    def code(self, code: Code, of: str) -> list[str]:
        """The names of a code's two constants."""
        scale = np.asarray(np.float32(code.scale))
        zero = np.asarray(np.int8(code.zero))
        return [self.constant(f"{of}.scale", scale), self.constant(f"{of}.zero", zero)]

    def real(self, name: str, code: Code) -> str:
        """Integers as the numbers for which they stand."""
        return self.node("DequantizeLinear", [name, *self.code(code, name)], self.unused(name))

    def unused(self, name: str) -> str:
        """A name that nothing has, for what is read of a value."""
        used = sum(node.output[0].startswith(f"{name}.real") for node in self.nodes)
        return f"{name}.real{used}"

    def integer(self, real: str, code: Code, gives: str) -> None:
        """Numbers as integers of a code."""
        self.node("QuantizeLinear", [real, *self.code(code, gives)], gives)


def quantised_model(
    onnx: ModuleType, program: Program, shape: Shape, classes: int, facts: Mapping[str, str]
) -> Any:
    """The ONNX model of a program that takes examples of this shape; `facts` are its metadata."""
    graph = Graph(onnx)
    own = {step.name: f"{number}.{step.name}" for number, step in enumerate(program.steps)}
    own[program.steps[-1].name] = "logits"
    for step in program.steps:
        renamed = replace(step, reads=tuple(own[name] for name in step.reads))
        write(graph, renamed, own[step.name])
    helper, kinds = onnx.helper, onnx.TensorProto
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "student",
            [helper.make_tensor_value_info("examples", kinds.FLOAT, ["batch", *shape])],
            [helper.make_tensor_value_info("logits", kinds.FLOAT, ["batch", classes])],
            list(graph.constants.values()),
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="nas-kd",
    )
    helper.set_model_props(model, dict(facts))
    return model


def write(graph: Graph, step: Step, gives: str) -> None:
    """Write a step's nodes."""
    operation = step.operation
    match operation:
        case Entry():
            sides = len(step.shape) - 1
            mean = graph.constant(
                "examples.mean", by_channel(operation.mean_C, sides).numpy()[None]
            )
            scale = graph.constant(
                "examples.scale", by_channel(operation.scale_C, sides).numpy()[None]
            )
            moved = graph.node("Sub", ["examples", mean], f"{gives}.moved")
            normalised = graph.node("Mul", [moved, scale], f"{gives}.normalised")
            graph.integer(normalised, operation.out, gives)
        case Reshape():
            shape = graph.constant(f"{gives}.shape", np.array([0, *step.shape], np.int64))
            graph.node("Reshape", [step.reads[0], shape], gives)
        case Weighted():
            layer(graph, step, operation, gives)
        case Dequantise():
            read = step.reads[0]
            graph.node("DequantizeLinear", [read, *graph.code(operation.read, read)], gives)
        case Lookup() if operation.name not in FUNCTIONS:
            read = graph.node("Cast", [step.reads[0]], f"{gives}.wide",
                              to=graph.onnx.TensorProto.INT32)  # fmt: skip
            begin = graph.constant(f"{gives}.begin", np.asarray(np.int32(LOW)))
            place = graph.node("Sub", [read, begin], f"{gives}.place")
            table = graph.constant(f"{gives}.table", np.array(operation.table, np.int8))
            graph.node("Gather", [table, place], gives)
        case _:
            real = computed(graph, step, f"{gives}.result")
            assert operation.out is not None
            graph.integer(real, operation.out, gives)


def computed(graph: Graph, step: Step, gives: str) -> str:
    """Write an operation on numbers; the name of what it gives."""
    operation = step.operation
    match operation:
        case Add() | Multiply():
            reads = [
                graph.real(name, code)
                for name, code in zip(step.reads, (operation.left, operation.right), strict=True)
            ]
            return graph.node("Add" if isinstance(operation, Add) else "Mul", reads, gives)
        case Mean():
            real = graph.real(step.reads[0], operation.read)
            if operation.keeps_sides:
                return graph.node("GlobalAveragePool", [real], gives)
            pooled = graph.node("GlobalAveragePool", [real], f"{gives}.sides")
            return graph.node("Flatten", [pooled], gives)
        case Pool():
            real = graph.real(step.reads[0], operation.read)
            kind = "MaxPool" if operation.largest else "AveragePool"
            more = {} if operation.largest else {"count_include_pad": 1}
            return graph.node(kind, [real], gives, kernel_shape=operation.window,
                              strides=operation.stride, pads=operation.padding * 2,
                              **more)  # fmt: skip
        case Lookup():
            kind, attributes = FUNCTIONS[operation.name]
            return graph.node(kind, [graph.real(step.reads[0], operation.read)], gives,
                              **attributes)  # fmt: skip
        case Shift():
            return shifted(graph, operation, graph.real(step.reads[0], operation.out), gives)
    raise TypeError(f"{type(operation).__name__} has no form in ONNX")


def layer(graph: Graph, step: Step, operation: Weighted, gives: str) -> None:
    """Write a convolution or a linear layer."""
    real = graph.real(step.reads[0], operation.read)
    scale_O = operation.weight_scale_O
    names = [
        constant(graph, f"{gives}.weight", operation.weight_OIK, scale_O),
        constant(graph, f"{gives}.bias", operation.bias_O,
                 (scale_O.double() * operation.read.scale).float()),
    ]  # fmt: skip
    result = gives if operation.out is None else f"{gives}.sum"
    if operation.weight_OIK.ndim == 2:
        graph.node("Gemm", [real, *names], result, transB=1)
    else:
        graph.node("Conv", [real, *names], result, strides=operation.stride,
                   pads=(*operation.padding, *operation.padding), dilations=operation.dilation,
                   group=operation.groups)  # fmt: skip
    if operation.out is not None:
        graph.integer(result, operation.out, gives)


def constant(graph: Graph, name: str, integers: Tensor, scale_O: Tensor) -> str:
    """Integers of a layer, by output channel, as numbers; the name of what is given."""
    values = integers.numpy()
    parts = [
        graph.constant(f"{name}.integers", values),
        graph.constant(f"{name}.scale", scale_O.numpy()),
        graph.constant(f"{name}.zero", np.zeros(len(values), values.dtype)),
    ]
    return graph.node("DequantizeLinear", parts, name, axis=0)


def shifted(graph: Graph, operation: Shift, real: str, gives: str) -> str:
    """Write a choice of positions, with channels of zeros added or channels left out."""
    axes = list(range(1, 2 + len(operation.steps)))
    begins = [max(0, -operation.before), *[0] * len(operation.steps)]
    ends = [min(0, operation.after) or LAST, *[LAST] * len(operation.steps)]
    steps = [1, *operation.steps]
    said = {"starts": begins, "ends": ends, "axes": axes, "steps": steps}
    names = [graph.constant(f"{gives}.{n}", np.array(v, np.int64)) for n, v in said.items()]
    chosen = graph.node("Slice", [real, *names], f"{gives}.chosen")
    before, after = max(0, operation.before), max(0, operation.after)
    sides = [0] * len(operation.steps)
    pads = np.array([0, before, *sides, 0, after, *sides], np.int64)
    if not pads.any():
        return chosen
    zero = graph.constant(f"{gives}.nothing", np.asarray(np.float32(0)))
    return graph.node("Pad", [chosen, graph.constant(f"{gives}.pads", pads), zero], gives)
