"""`onnx:PATH`, a network as ONNX, run by onnxruntime on the processor (extra `onnx`).

Suffixes: B examples, X the shape of one.
"""

from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableTeacher
from nas_kd.teachers.files import file_of
from nas_kd.teachers.networks import of_network
from nas_kd.teachers.teacher import Answerer, Teacher, TeacherKind

FLOATS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
"""Types of inputs, as onnxruntime calls them."""

SAVE = "Export it with one input of examples and a batch of any size, into one file."


class OnnxNetwork(nn.Module):
    """A session of onnxruntime as a module; its weights are no parameters."""

    def __init__(self, session: Any, given: str) -> None:
        super().__init__()
        self.session = session
        wanted = session.get_inputs()
        if len(wanted) != 1 or wanted[0].type not in FLOATS:
            listed = ", ".join(f"{one.name} {one.type}" for one in wanted)
            raise UnusableTeacher(given, f"takes {listed}", SAVE)
        self.input, self.kind = wanted[0].name, FLOATS[wanted[0].type]
        first = wanted[0].shape[0] if wanted[0].shape else None
        self.batch = first if isinstance(first, int) else None
        """How many examples it takes at once; None for any number."""

    def forward(self, examples: Tensor) -> dict[str, Tensor]:
        """Every output that is a tensor, by its name."""
        found = self.answer(examples.cpu().numpy().astype(self.kind))
        return {name: torch.from_numpy(value) for name, value in found.items()}

    def answer(self, examples_BX: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The outputs for a batch; where it takes so many at once, piece by piece, the last one
        filled up with copies."""
        pieces = [examples_BX]
        if self.batch is not None:
            size, missing = self.batch, -len(examples_BX) % self.batch
            padded = np.concatenate([examples_BX, examples_BX[-1:].repeat(missing, 0)])
            pieces = [padded[row : row + size] for row in range(0, len(padded), size)]
        names = [output.name for output in self.session.get_outputs()]
        runs = [self.session.run(None, {self.input: piece}) for piece in pieces]
        return {
            name: np.concatenate(parts)[: len(examples_BX)]
            for name, parts in zip(names, zip(*runs, strict=True), strict=True)
            if all(
                isinstance(part, np.ndarray) and part.ndim and part.dtype.kind in "fiu"
                for part in parts
            )
        }


def open_onnx(teacher: Teacher, data: TransferSet, device: str) -> Answerer:
    """A session on a file, on one thread of the processor. Raises UnusableTeacher."""
    file, sha256 = file_of(teacher)
    given = f"teacher {file}"
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        right = "Install the extra: pip install 'nas-kd[onnx]'"
        raise UnusableTeacher(given, "needs the packages onnx and onnxruntime", right) from error
    try:
        weights = onnx.load(str(file), load_external_data=False).graph.initializer
        apart = any(one.data_location == onnx.TensorProto.EXTERNAL for one in weights)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = None if apart else onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )  # fmt: skip
    except Exception as error:  # the errors of its parsers share no base
        raise UnusableTeacher(given, f"cannot be read ({first(error)})", SAVE) from error
    if session is None:
        right = "Save it with its weights inside: onnx.save(model, FILE)."
        raise UnusableTeacher(given, "keeps its weights in other files", right)
    network = OnnxNetwork(session, given)
    numbers = sum(prod(one.dims) for one in weights)
    return of_network(network, teacher, data, "cpu", parameters=numbers, sha256=sha256)


def first(error: Exception) -> str:
    """The first line of an error."""
    return str(error).partition("\n")[0]


ONNX = TeacherKind(open=open_onnx, sees=True)
