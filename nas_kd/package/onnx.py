"""A package's student as plain ONNX, checked against PyTorch on the package's own proof.

The file takes float32 examples as they are stored, [batch, *shape], and gives logits; normalisation
is inside, batch norms are folded. It loads without nas-kd and without PyTorch.
"""

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from nas_kd.errors import Unusable, UnusablePackage
from nas_kd.files import write_text
from nas_kd.package.load import load_student

FILE = "model.onnx"
TOLERANCE = 1e-4


def needed(name: str) -> ModuleType:
    """A module of the extra `onnx`. Raises Unusable with the pip command."""
    try:
        return import_module(name)
    except ImportError as error:
        right = "Install the extra: pip install 'nas-kd[onnx]'"
        raise Unusable("ONNX", f"needs the package {name!r}", right) from error


def to_onnx(package: Path, trust: bool = False) -> Path:
    """Write model.onnx into a package, and prove it there. Raises Unusable, UnusablePackage."""
    onnx, runtime = needed("onnx"), needed("onnxruntime")
    needed("onnxscript")
    student = load_student(package, trust)
    proof = load_file(package / "proof.safetensors")
    inputs = proof["inputs"].float()
    program = torch.onnx.export(
        student,
        (inputs[:2],),
        dynamo=True,
        verbose=False,
        input_names=["examples"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    assert program is not None
    path = package / FILE
    program.save(path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"examples": inputs.numpy()})
    note(package, logits, proof["logits"].numpy())
    return path


def note(package: Path, logits: Any, expected: Any) -> None:
    """Keep the difference to PyTorch in the config. Raises UnusablePackage if it is too large."""
    off = float(np.abs(logits - expected).max())
    if not off <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        wrong = f"gives logits in ONNX that differ by {off:.2g} from PyTorch's"
        raise UnusablePackage(f"package {package}", wrong, "Compare the versions of onnxruntime.")
    facts = json.loads((package / "config.json").read_text())
    facts["onnx"] = {"file": FILE, "difference": off, "examples": len(expected)}
    write_text(package / "config.json", json.dumps(facts, indent=1))
