"""A package's student as .tflite, in 8 bits; and what LiteRT for Microcontrollers allocates for it.

    python -m venv tflite
    tflite/bin/pip install litert-torch ai-edge-quantizer tflite-micro safetensors
    tflite/bin/python studies/quantised/tflite.py PACKAGE

in an environment of its own: it needs a package that `nas-kd export` wrote, and no nas-kd. The
package's stored inputs calibrate the file and are answered by it.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np


def converted(package: Path) -> bytes:
    """The student of a package in floats, normalisation inside, as .tflite for one example."""
    import litert_torch
    import torch
    from safetensors.torch import load_file

    sys.path.insert(0, str(package))
    from student import load

    inputs = load_file(package / "proof.safetensors")["inputs"].float()
    model = litert_torch.convert(load(package), (inputs[:1],))
    torch.set_num_threads(1)
    path = package / "student.float.tflite"
    model.export(str(path))
    return path.read_bytes()


def quantised(package: Path) -> Path:
    """The same in 8 bits, calibrated by the package's stored inputs."""
    from ai_edge_quantizer import quantizer, recipe
    from safetensors.numpy import load_file

    converted(package)
    inputs = load_file(package / "proof.safetensors")["inputs"].astype(np.float32)
    make = quantizer.Quantizer(str(package / "student.float.tflite"), recipe.static_wi8_ai8())
    key, argument = signature_input(package / "student.float.tflite")
    found = make.calibrate({key: [{argument: one[None]} for one in inputs]})
    path = package / "student.int8.tflite"
    path.write_bytes(make.quantize(found).quantized_model)
    return path


def signature_input(path: Path) -> tuple[str, str]:
    """The name of a file's signature, and of its input."""
    from ai_edge_litert.interpreter import Interpreter

    signatures = Interpreter(model_path=str(path)).get_signature_list()
    ((key, said),) = signatures.items()
    return key, said["inputs"][0]


def answers(path: Path, inputs: np.ndarray) -> np.ndarray:
    """What LiteRT answers to each input."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    (read,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    (scale, zero), (out_scale, out_zero) = read["quantization"], given["quantization"]
    integers = np.clip(np.rint(inputs / scale) + zero, -128, 127).astype(np.int8)
    found = []
    for one in integers:
        interpreter.set_tensor(read["index"], one[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(given["index"])[0])
    return (np.stack(found).astype(np.float32) - out_zero) * out_scale


def print_allocations(path: Path) -> None:
    """Have LiteRT for Microcontrollers say, on stderr, what its arena is made of."""
    from tflite_micro.python.tflite_micro import runtime

    runtime.Interpreter.from_file(str(path)).print_allocations()


def main() -> None:
    """Convert, compare, and print what is allocated."""
    from safetensors.numpy import load_file

    package = Path(sys.argv[1]).resolve()
    proof = load_file(package / "proof.safetensors")
    path = quantised(package)
    found = answers(path, proof["inputs"])
    facts = json.loads((package / "config.json").read_text())
    wanted = proof.get("int8", proof["float32"])
    print(json.dumps({
        "student": facts["student"]["family"], "ram": facts["counts"]["ram"],
        "bytes": facts["counts"]["bytes"], "file": path.stat().st_size,
        "same_class": float((found.argmax(1) == wanted.argmax(1)).mean()),
        "largest_difference": float(np.abs(found - wanted).max()),
        "versions": {n: version(n) for n in ("litert-torch", "ai-edge-quantizer", "tflite-micro")},
    }, indent=1))  # fmt: skip
    print_allocations(path)


if __name__ == "__main__":
    main()
