"""What a teacher is, and loading it: one that was trained here, or the user's own module."""

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from nas_kd.costs import Shape, measure
from nas_kd.errors import UnusableTeacher
from nas_kd.teachers.network import wide

TRAINED = "train"
"""The name of the teacher that is trained when none is given."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """How to build a teacher: `train`, or `module:function` that returns an nn.Module."""

    target: str
    input_shape: Shape
    classes: int
    width: int = 32
    """Of the trained teacher: the channels of its first block."""
    weights: str | None = None
    """A safetensors or torch file; None keeps the weights that the function gives."""


@dataclass(frozen=True, slots=True)
class TeacherReport:
    """A teacher that is ready: its weights as safetensors, and what is known of it."""

    weights: bytes
    sha256: str
    accuracy: float
    parameters: int
    macs: int | None
    seconds: float


def create(teacher: Teacher) -> nn.Module:
    """The teacher's network without its weight file. Raises UnusableTeacher."""
    if teacher.target == TRAINED:
        return wide(teacher.input_shape, teacher.classes, teacher.width)
    given = f"teacher {teacher.target!r}"
    module, _, function = teacher.target.partition(":")
    if not function:
        raise UnusableTeacher(given, "is not of the form module:function", "Say mymodels:resnet.")
    try:
        network = getattr(import_module(module), function)()
    except (ImportError, AttributeError, TypeError) as error:
        right = "It must be an importable function without arguments that returns an nn.Module."
        raise UnusableTeacher(given, f"cannot be made ({error})", right) from error
    if not isinstance(network, nn.Module):
        wrong = f"returns {type(network).__name__}, not an nn.Module"
        raise UnusableTeacher(given, wrong, "Return the network itself.")
    return network


def load(teacher: Teacher) -> nn.Module:
    """The teacher with its weights, in eval mode and frozen. Raises UnusableTeacher."""
    network = create(teacher)
    if teacher.weights:
        try:
            network.load_state_dict(read(Path(teacher.weights)))
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise UnusableTeacher(
                f"teacher weights {teacher.weights}",
                f"do not fit {teacher.target!r} ({reason})",
                "Name the file that was saved from this network's state_dict().",
            ) from error
    return network.eval().requires_grad_(False)


def read(path: Path) -> Mapping[str, Tensor]:
    """A state dict, from safetensors or from a torch file that holds nothing but tensors."""
    given = f"teacher weights {path}"
    right = "Save them with torch.save(network.state_dict(), FILE) or safetensors.torch.save_file."
    if not path.exists():
        raise UnusableTeacher(given, "do not exist", right)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise UnusableTeacher(given, f"cannot be read ({error})", right) from error
    except Exception as error:  # pickle's refusals share no base
        raise UnusableTeacher(given, "hold more than tensors", right) from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UnusableTeacher(given, "are no state dict", right)
    return state


def state(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, each in memory of its own."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def fingerprint(network: nn.Module) -> str:
    """Hash of all parameters and buffers."""
    return hashlib.sha256(save(state(network))).hexdigest()


def sizes(network: nn.Module, input_shape: Shape) -> tuple[int, int | None]:
    """Parameters, and MACs of one example where they can be counted."""
    parameters = sum(p.numel() for p in network.parameters())
    try:
        return parameters, measure(copy.deepcopy(network).to("meta"), input_shape)[1]
    except (NotImplementedError, RuntimeError):
        return parameters, None
