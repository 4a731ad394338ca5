"""student.py: a student in plain PyTorch, which reads config.json and weights.safetensors beside it
and needs no nas-kd.

The network is written down as its traced graph has it: a line for each layer, and a line for each
operation.
"""

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from nas_kd.errors import Unusable
from nas_kd.students.family import StudentConfig
from nas_kd.students.quantised.chains import graph_of

FILE = "student.py"

OPERATORS = {
    operator.add: "+", operator.iadd: "+", torch.add: "+", operator.mul: "*", operator.imul: "*",
    torch.mul: "*", operator.sub: "-", torch.sub: "-",
}  # fmt: skip

RIGHT = "The other files of the package have the student, too."


def plain(network: nn.Module, config: StudentConfig) -> str:
    """The text of student.py. Raises Unusable for a network that cannot be written down."""
    graph = graph_of(network, "written as plain PyTorch", RIGHT)
    layers = layers_of(graph)
    made = "\n".join(f"        self.{own(name)} = nn.{text}" for name, text in layers.items())
    computed = "\n".join(f"        {line}" for line in lines_of(graph))
    shape = ", ".join(map(str, config.input_shape))
    count = sum(p.numel() for p in network.parameters())
    ones = ", 1" * (len(config.input_shape) - 1)
    return f'''"""{config.name()}: {count:,} parameters, written by nas-kd as plain PyTorch.

    from student import load
    student = load()
    logits = student(examples)    # [B, {shape}], values as they were stored
    names = [student.classes[number] for number in logits.argmax(1)]
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn


class Student(nn.Module):
    """Normalises examples [B, {shape}], and gives logits [B, {config.classes}]."""

    def __init__(self, mean, std, classes):
        super().__init__()
        self.classes = classes
        self.register_buffer("mean", torch.tensor(mean).view(-1{ones}), persistent=False)
        self.register_buffer("scale", 1 / torch.tensor(std).view(-1{ones}), persistent=False)
{made}

    def forward(self, examples):
        x = (examples.float() - self.mean) * self.scale
{computed}


def load(folder=Path(__file__).parent):
    """The trained student, in eval mode."""
    facts = json.loads((Path(folder) / "config.json").read_text())
    student = Student(facts["input"]["mean"], facts["input"]["std"], facts["classes"])
    weights = load_file(Path(folder) / "weights.safetensors")
    student.load_state_dict(own_weights(student, weights))
    return student.eval()


def own_weights(student, weights):
    """The package's weights by their names here, without those of layers that compute nothing."""
    named = {{own_name(name): value for name, value in weights.items()}}
    return {{name: value for name, value in named.items() if name in student.state_dict()}}


def own_name(name):
    """The name that a weight of the package has here: 0.body.1.weight is layer_0_body_1.weight."""
    layer, _, kind = name.rpartition(".")
    return f"layer_{{layer.replace('.', '_')}}.{{kind}}"
'''


def answers_of(text: str, weights: Mapping[str, Tensor], given: Mapping[str, Any],
               inputs_NX: Tensor) -> Tensor:  # fmt: skip
    """What a written student answers to these inputs, [N, C]. Raises whatever it raises."""
    module: dict[str, Any] = {"__file__": FILE, "__name__": "student"}
    exec(compile(text, FILE, "exec"), module)  # what was written a moment ago
    student = module["Student"](given["mean"], given["std"], ())
    student.load_state_dict(module["own_weights"](student, weights))
    logits_NC: Tensor = student.eval()(inputs_NX)
    return logits_NC


def own(name: str) -> str:
    """What student.py calls a layer."""
    return f"layer_{name.replace('.', '_')}"


def layers_of(graph: fx.GraphModule) -> dict[str, str]:
    """Each layer that is called, by its name, as the Python that makes it. Raises Unusable."""
    found = {}
    for node in graph.graph.nodes:
        if node.op != "call_module":
            continue
        part = graph.get_submodule(str(node.target))
        text = repr(part)
        try:
            again = eval(text, vars(nn).copy())  # of a layer of torch's own
        except Exception as error:
            raise unwritten(node, type(part).__name__) from error
        if repr(again) != text or shapes(again) != shapes(part):
            raise unwritten(node, type(part).__name__)
        found[str(node.target)] = text
    return found


def shapes(layer: nn.Module) -> list[tuple[str, torch.Size]]:
    """The names and shapes of a layer's tensors."""
    return [(name, value.shape) for name, value in layer.state_dict().items()]


def unwritten(node: fx.Node, what: str) -> Unusable:
    """The error for a part that has no plain form."""
    return Unusable(
        "the student", f"cannot be written as plain PyTorch: {node.name} ({what})", RIGHT
    )


def lines_of(graph: fx.GraphModule) -> list[str]:
    """A line of Python for each operation. What the next one alone reads is called x."""
    nodes = list(graph.graph.nodes)
    names: dict[fx.Node, str] = {}
    lines = []
    for number, node in enumerate(nodes):
        if node.op == "output":
            lines.append(f"return {argument(node.args[0], names)}")
            continue
        follows = [nodes[number + 1]] if number + 1 < len(nodes) else []
        names[node] = "x" if list(node.users) == follows else f"kept_{number}"
        if node.op == "placeholder":
            if names[node] != "x":
                lines.append(f"{names[node]} = x")
            continue
        lines.append(f"{names[node]} = {expression(node, names)}")
    return lines


def expression(node: fx.Node, names: Mapping[fx.Node, str]) -> str:
    """An operation as Python. Raises Unusable."""
    arguments = [argument(one, names) for one in node.args]
    arguments += [f"{name}={argument(one, names)}" for name, one in node.kwargs.items()]
    target: Any = node.target
    if node.op == "call_module":
        return f"self.{own(str(target))}({', '.join(arguments)})"
    if node.op == "call_method":
        return f"{arguments[0]}.{target}({', '.join(arguments[1:])})"
    if target in OPERATORS and len(node.args) == 2 and not node.kwargs:
        return f"{arguments[0]} {OPERATORS[target]} {arguments[1]}"
    if target is operator.getitem:
        return f"{arguments[0]}[{arguments[1]}]"
    if target is getattr:
        return f"{arguments[0]}.{node.args[1]}"
    for place, module in (("torch", torch), ("nn.functional", nn.functional)):
        name = getattr(target, "__name__", "")
        if getattr(module, name, None) is target:
            return f"{place}.{name}({', '.join(arguments)})"
    raise unwritten(node, str(target))


def argument(value: Any, names: Mapping[fx.Node, str]) -> str:
    """An argument as Python."""
    match value:
        case fx.Node():
            if value not in names:
                raise unwritten(value, "an argument from outside")
            return names[value]
        case tuple():
            inner = ", ".join(argument(one, names) for one in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case list():
            return f"[{', '.join(argument(one, names) for one in value)}]"
        case torch.dtype():
            return str(value)
    if value is Ellipsis:
        return "..."
    return repr(value)
