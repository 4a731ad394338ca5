"""A step of a quantised student in C: its constants, and the call that computes it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from nas_kd.costs.budgets import Shape
from nas_kd.students.quantised.operations import (
    Add,
    Dequantise,
    Entry,
    Lookup,
    Mean,
    Multiply,
    Pool,
    Reshape,
    Shift,
    Step,
    Weighted,
    ratio,
    single,
)

LINE = 96
"""Letters of a line of numbers."""


@dataclass(frozen=True, slots=True)
class Written:
    """A step in C."""

    kernel: str
    """The function it calls; empty for a step that computes nothing."""
    constants: str
    call: str


def number(value: float) -> str:
    """A float32 that C reads back as it is."""
    text = f"{value:.9g}"
    return text + (".0f" if text.lstrip("-").isdigit() else "f")


def array(kind: str, name: str, values: Iterable[Any]) -> str:
    """A constant array."""
    texts = [number(one) if kind == "float" else str(one) for one in values]
    lines, line = [], "   "
    for text in texts:
        if len(line) + len(text) > LINE:
            lines.append(line)
            line = "   "
        line += f" {text},"
    body = "\n".join((*lines, line))
    return f"static const {kind} {name}[{len(texts)}] = {{\n{body}\n}};\n"


def record(kind: str, name: str, fields: Mapping[str, Any]) -> str:
    """A constant struct."""
    texts = {n: number(v) if isinstance(v, float) else str(v) for n, v in fields.items()}
    body = "".join(f"    .{n} = {text},\n" for n, text in texts.items())
    return f"static const struct {kind} {name} = {{\n{body}}};\n"


def plane(sides: Shape) -> tuple[int, int]:
    """Height and width of a map; a signal has a height of 1."""
    height, width = (1, *sides)[-2:]
    return height, width


def sized(prefix: str, sides: Shape) -> dict[str, int]:
    """Two fields of a struct, of the height and the width."""
    height, width = plane(sides)
    return {f"{prefix}height": height, f"{prefix}width": width}


def written(step: Step, read: Sequence[Step], places: Mapping[str, str], name: str) -> Written:
    """A step in C; `places` has where each step's value lies, and `name` begins its constants."""
    operation, out = step.operation, places[step.name]
    given = [places[one.name] for one in read]
    count = prod(step.shape)
    match operation:
        case Entry():
            return of_entry(operation, step, out, name)
        case Weighted() if operation.weight_OIK.ndim == 2:
            return of_linear(operation, given[0], out, name)
        case Weighted():
            return of_convolution(operation, read[0].shape, step.shape, given[0], out, name)
        case Add():
            fields = codes_of(operation) | {
                "left": ratio(operation.left.scale, operation.out.scale),
                "right": ratio(operation.right.scale, operation.out.scale),
            }
            call = f"add({given[0]}, {given[1]}, {out}, {count}, &{name});"
            return Written("add", record("sum", name, fields), call)
        case Multiply():
            each = count // prod(read[1].shape)
            fields = codes_of(operation) | {"multiplier": operation.multiplier}
            call = f"multiply({given[0]}, {given[1]}, {out}, {count}, {each}, &{name});"
            return Written("multiply", record("product", name, fields), call)
        case Mean():
            zeros = f"{operation.read.zero}, {operation.out.zero}"
            call = (f"mean({given[0]}, {out}, {read[0].shape[0]}, {operation.positions}, {zeros}, "
                    f"{number(operation.multiplier)});")  # fmt: skip
            return Written("mean", "", call)
        case Pool():
            return of_pool(operation, read[0].shape, step.shape, given[0], out, name)
        case Lookup():
            call = f"look_up({given[0]}, {out}, {count}, {name});"
            return Written("look_up", array("int8_t", name, operation.table), call)
        case Shift():
            return of_shift(operation, read[0].shape, step.shape, given[0], out, name)
        case Dequantise():
            code = f"{operation.read.zero}, {number(single(operation.read.scale))}"
            return Written("dequantise", "", f"dequantise({given[0]}, {out}, {count}, {code});")
        case Reshape():
            return Written("", "", "")
    raise TypeError(f"{type(operation).__name__} has no form in C")


def codes_of(operation: Add | Multiply) -> dict[str, Any]:
    """The fields of a struct about the codes of two maps."""
    return {
        "left_zero": operation.left.zero, "right_zero": operation.right.zero,
        "out_zero": operation.out.zero,
    }  # fmt: skip


def of_entry(operation: Entry, step: Step, out: str, name: str) -> Written:
    """The normalisation of the example."""
    channels = step.shape[0]
    gain, offset = operation.gain_C.tolist(), operation.offset_C.tolist()
    constants = array("float", f"{name}_gain", gain) + array("float", f"{name}_offset", offset)
    positions = prod(step.shape[1:])
    call = f"quantise(example, {out}, {channels}, {positions}, {name}_gain, {name}_offset);"
    return Written("quantise", constants, call)


def weights_of(operation: Weighted, name: str) -> str:
    """The arrays of a layer: exactly the bytes that a budget counts."""
    return (
        array("int8_t", f"{name}_weight", operation.weight_OIK.flatten().tolist())
        + array("int32_t", f"{name}_bias", operation.bias_O.tolist())
        + array("float", f"{name}_multiplier", operation.multipliers.tolist())
    )


def fields_of(operation: Weighted, name: str) -> dict[str, Any]:
    """The fields of a struct that all layers have."""
    out = operation.out.zero if operation.out else 0
    return {
        **{part: f"{name}_{part}" for part in ("weight", "bias", "multiplier")},
        "in_zero": operation.read.zero, "out_zero": out,
    }  # fmt: skip


def of_linear(operation: Weighted, given: str, out: str, name: str) -> Written:
    """A linear layer, or the one that gives the logits."""
    outputs, inputs = operation.weight_OIK.shape
    fields = fields_of(operation, name) | {"inputs": inputs, "outputs": outputs}
    kernel = "linear" if operation.out else "linear_logits"
    constants = weights_of(operation, name) + record("linear", name, fields)
    return Written(kernel, constants, f"{kernel}({given}, {out}, &{name});")


def of_convolution(
    operation: Weighted, before: Shape, after: Shape, given: str, out: str, name: str
) -> Written:
    """A convolution."""
    fields = fields_of(operation, name) | {
        "in_channels": before[0], **sized("in_", before[1:]),
        "out_channels": after[0], **sized("out_", after[1:]),
        **sized("kernel_", tuple(operation.weight_OIK.shape[2:])),
        **sized("stride_", operation.stride),
        **dict(zip(("pad_height", "pad_width"), (0, *operation.padding)[-2:], strict=True)),
        **sized("dilation_", operation.dilation), "groups": operation.groups,
    }  # fmt: skip
    constants = weights_of(operation, name) + record("convolution", name, fields)
    return Written("convolve", constants, f"convolve({given}, {out}, &{name});")


def of_pool(
    operation: Pool, before: Shape, after: Shape, given: str, out: str, name: str
) -> Written:
    """The largest or the mean of windows."""
    fields = {
        "channels": before[0], **sized("in_", before[1:]), **sized("out_", after[1:]),
        **sized("", operation.window), **sized("stride_", operation.stride),
        **dict(zip(("pad_height", "pad_width"), (0, *operation.padding)[-2:], strict=True)),
        "in_zero": operation.read.zero, "out_zero": operation.out.zero,
        "multiplier": operation.multiplier,
    }  # fmt: skip
    kernel = "largest" if operation.largest else "average"
    return Written(kernel, record("windows", name, fields), f"{kernel}({given}, {out}, &{name});")


def of_shift(
    operation: Shift, before: Shape, after: Shape, given: str, out: str, name: str
) -> Written:
    """A choice of positions, with channels of zeros."""
    fields = {
        "channels": before[0], **sized("in_", before[1:]),
        "out_channels": after[0], **sized("out_", after[1:]),
        **sized("step_", operation.steps), "before": operation.before,
        "zero": operation.out.zero,
    }  # fmt: skip
    return Written("shift", record("shift", name, fields), f"shift({given}, {out}, &{name});")
