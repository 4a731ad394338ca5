"""A package's student as ONNX, checked against PyTorch on the package's own proof: in floats, or in
8-bit integers.

The file takes float32 examples as they are stored, [batch, *shape], and gives logits; normalisation
is inside, batch norms are folded. It loads without nas-kd and without PyTorch. Its metadata say
what it takes and what the classes are called.
"""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from nas_kd.costs.budgets import WHOLE
from nas_kd.errors import Unusable, UnusablePackage
from nas_kd.files import write_bytes, write_text
from nas_kd.package.load import Opened, as_floats, opened
from nas_kd.package.onnx_int8 import quantised_model
from nas_kd.package.seal import seal_again

FILE, INT8 = "model.onnx", "model.int8.onnx"
NO_OPTIONS: Mapping[str, str] = {}
TOLERANCE = 1e-4

AGREE = 0.95
"""The least share of the stored inputs that a runtime must answer with the same class. It may round
single sums otherwise."""

OPTION = "session.x64quantprecision"
EXACT = {OPTION: "1"}
"""Has ONNX Runtime sum products without saturation on x86 processors that lack VNNI, as C does."""


def needed(name: str) -> ModuleType:
    """A module of the extra `onnx`. Raises Unusable with the pip command."""
    try:
        return import_module(name)
    except ImportError as error:
        right = "Install the extra: pip install 'nas-kd[onnx]'"
        raise Unusable("ONNX", f"needs the package {name!r}", right) from error


def to_onnx(package: Path, trust: bool = False) -> Path:
    """Write model.onnx into a package, and prove it there. Raises Unusable, UnusablePackage."""
    onnx = needed("onnx")
    needed("onnxruntime"), needed("onnxscript")
    found = opened(package, trust)
    inputs = found.inputs_NX.float()
    program = torch.onnx.export(
        as_floats(found.student),
        (inputs[:2],),
        dynamo=True,
        verbose=False,
        input_names=["examples"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, metadata(found, "float32"))
    expected = found.answers()["float32"].numpy()
    logits = answers_of(written(package / FILE, model), found)
    note(package, "onnx", FILE, logits, expected)
    seal_again(package)
    return package / FILE


def to_int8(package: Path, trust: bool = False) -> Path:
    """Write model.int8.onnx into a package that has integers, and prove it there. Raises Unusable,
    UnusablePackage."""
    onnx = needed("onnx")
    needed("onnxruntime")
    found = opened(package, trust)
    if found.program is None:
        raise Unusable(f"package {package}", "has no integers", "Export it with --int8.")
    shape, classes = found.student.shape, len(found.student.classes)
    model = quantised_model(onnx, found.program, shape, classes, metadata(found, "int8"))
    expected = found.answers()["int8"].numpy().argmax(1)
    content = written(package / INT8, model)
    same, plainly = (
        float((answers_of(content, found, options).argmax(1) == expected).mean())
        for options in (EXACT, NO_OPTIONS)
    )
    if same < AGREE:
        wrong = f"gives another class in ONNX for {100 * (1 - same):.0f}% of its stored inputs"
        raise UnusablePackage(f"package {package}", wrong, "Compare the versions of onnxruntime.")
    kept = {"file": INT8, "same_class": same, "without_option": plainly, "examples": len(expected)}
    facts = json.loads((package / "config.json").read_text())
    write_text(package / "config.json", json.dumps(facts | {"onnx_int8": kept}, indent=1))
    seal_again(package)
    return package / INT8


def written(path: Path, model: Any) -> bytes:
    """The content of a model's file, which is written once the model was checked."""
    needed("onnx").checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    write_bytes(path, content)
    return content


def answers_of(content: bytes, found: Opened, options: Mapping[str, str] = NO_OPTIONS) -> Any:
    """A model's logits to the stored inputs in ONNX Runtime, which is given these options."""
    runtime = needed("onnxruntime")
    how = runtime.SessionOptions()
    for name, value in options.items():
        how.add_session_config_entry(name, value)
    session = runtime.InferenceSession(content, how, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"examples": found.inputs_NX.float().numpy()})
    return logits


def metadata(found: Opened, arithmetic: str) -> dict[str, str]:
    """What a model says of itself: a text for each name. Accuracy and costs are those of its own
    arithmetic, if they were measured."""
    facts = found.facts
    stored = found.inputs_NX
    layout = {1: "features", 2: "channels, length", 3: "channels, height, width"}
    searched = "float32" if facts["student"]["bits"] == WHOLE else "int8"
    known = {searched: (facts["validation"], facts["counts"])}
    if eight := facts["int8"]:
        known["int8"] = (eight, eight["counts"])
    reached = {}
    if arithmetic in known:
        accuracy, counts = known[arithmetic]
        measured = f"{100 * accuracy['accuracy']:.2f}% {facts['metric']}"
        reached = {
            "validation": f"{measured} of {accuracy['examples']:,} examples",
            "costs": json.dumps(counts),
        }
    return reached | {
        "classes": json.dumps(list(found.student.classes)),
        "input": f"{str(stored.dtype).removeprefix('torch.')} values as they were stored, "
        f"{float(stored.min()):g} to {float(stored.max()):g} in the stored inputs; "
        "they are normalised inside",
        "input_layout": f"batch, {layout[len(found.student.shape)]}",
        "budget": " and ".join(f"{bound:g} {cost}" for cost, bound in facts["budgets"]),
        "arithmetic": arithmetic,
    }


def note(package: Path, name: str, file: str, logits: Any, expected: Any) -> None:
    """Keep the difference to PyTorch in the config. Raises UnusablePackage if it is too large."""
    off = float(np.abs(logits - expected).max())
    if not off <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        wrong = f"gives logits in ONNX that differ by {off:.2g} from PyTorch's"
        raise UnusablePackage(f"package {package}", wrong, "Compare the versions of onnxruntime.")
    facts = json.loads((package / "config.json").read_text())
    facts[name] = {"file": file, "difference": off, "examples": len(expected)}
    write_text(package / "config.json", json.dumps(facts, indent=1))
