"""What a teacher is, and loading it: one that was trained here, or the user's own.

`module:function` returns an nn.Module; `torchvision:resnet18` is one of torchvision's models with
the data's number of classes.
"""

import copy
import hashlib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MethodType

from safetensors.torch import save
from torch import Tensor, contiguous_format, nn
from torch.nn.parameter import is_lazy

from nas_kd.costs.budgets import Shape
from nas_kd.costs.counting import activations, measure
from nas_kd.errors import UnusableTeacher
from nas_kd.registry import imported
from nas_kd.teachers.adapting import Adapted, TeacherInput
from nas_kd.teachers.checkpoints import fit
from nas_kd.teachers.network import wide

TRAINED = "train"
"""The name of the teacher that is trained when none is given."""

TORCHVISION = "torchvision:"

QUANTISED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")
"""Where torch has the modules of quantised networks."""

FROM_PYTHON = "python:"
GIVEN: dict[str, nn.Module] = {}
"""Teachers that were given as objects, known in this process only."""


def give(network: nn.Module) -> str:
    """Make a module known in this process; gives the name under which it is a teacher."""
    name = f"{FROM_PYTHON}{type(network).__name__}-{fingerprint(network)[:12]}"
    GIVEN[name] = network
    return name


@dataclass(frozen=True, slots=True)
class Teacher:
    """How to build a teacher: `train`, `module:function` or `torchvision:model`."""

    target: str
    input_shape: Shape
    classes: int
    width: int = 32
    """Of the trained teacher: the channels of its first block."""
    weights: str | None = None
    """A weight file; None keeps the weights that the function gives."""
    expects: TeacherInput = field(default_factory=TeacherInput)


@dataclass(frozen=True, slots=True)
class TeacherReport:
    """A teacher that is ready: its weights as safetensors, and what is known of it."""

    weights: bytes
    sha256: str
    accuracy: float
    parameters: int
    macs: int | None
    activations: int | None
    seconds: float
    notes: tuple[str, ...] = ()
    """What had to be undone or converted to use it."""
    probabilities: bool = False
    """Its output has probabilities, not logits."""


def create(teacher: Teacher) -> nn.Module:
    """The teacher's network without its weight file. Raises UnusableTeacher."""
    if teacher.target == TRAINED:
        return wide(teacher.input_shape, teacher.classes, teacher.width)
    if teacher.target.startswith(TORCHVISION):
        return from_torchvision(teacher)
    given = f"teacher {teacher.target!r}"
    if teacher.target.startswith(FROM_PYTHON):
        if teacher.target not in GIVEN:
            right = "Go on from there: nas_kd.search(..., teacher=module, study=FOLDER)."
            raise UnusableTeacher(given, "was given from Python, in another process", right)
        return copy.deepcopy(GIVEN[teacher.target])
    module, _, function = teacher.target.partition(":")
    if not (module and function):
        right = "Say train, mymodels:resnet or torchvision:resnet18."
        raise UnusableTeacher(given, "is not of the form module:function", right)
    try:
        network = getattr(imported(module), function)()
    except Exception as error:
        right = "It must be an importable function without arguments that returns an nn.Module."
        raise UnusableTeacher(given, f"cannot be made ({error})", right) from error
    if not isinstance(network, nn.Module):
        wrong = f"returns {type(network).__name__}, not an nn.Module"
        raise UnusableTeacher(given, wrong, "Return the network itself.")
    return network


def from_torchvision(teacher: Teacher) -> nn.Module:
    """One of torchvision's classifiers, with the data's classes. Raises UnusableTeacher."""
    from torchvision import models

    name = teacher.target.removeprefix(TORCHVISION)
    known = models.list_models(module=models)
    given = f"teacher {teacher.target!r}"
    if name not in known:
        close = ", ".join(get_close_matches(name, known, n=3)) or "resnet18"
        raise UnusableTeacher(given, "is no model of torchvision", f"You may have meant: {close}.")
    if teacher.weights is None:
        right = f"Name a file that has {teacher.classes} classes with --teacher-weights."
        raise UnusableTeacher(given, "has no weights", right)
    network: nn.Module = models.get_model(name, weights=None, num_classes=teacher.classes)
    return network


def load(teacher: Teacher) -> nn.Module:
    """The teacher with its weights, in eval mode and frozen. Raises UnusableTeacher."""
    return load_and_tell(teacher)[0]


def load_and_tell(teacher: Teacher) -> tuple[nn.Module, tuple[str, ...]]:
    """The teacher, and what had to be undone to load its weights. Raises UnusableTeacher."""
    network = create(teacher).float().cpu()
    expect_tensors(network, teacher.target)
    notes = fit(Path(teacher.weights), network, teacher.target) if teacher.weights else ()
    if any(map(is_lazy, network.parameters())):
        wrong = "has layers that have no size yet, such as nn.LazyLinear"
        right = "Call it once on an example before the function returns it, or name its weights."
        raise UnusableTeacher(f"teacher {teacher.target!r}", wrong, right)
    notes += settled(network)
    if teacher.target != TRAINED:
        name = f"teacher {teacher.target!r}"
        network = Adapted(network, teacher.expects, teacher.classes, name)
    return network.eval().requires_grad_(False), notes


def expect_tensors(network: nn.Module, target: str) -> None:
    """Raise UnusableTeacher for a network whose weights are no plain tensors."""
    if any(type(part).__module__.startswith(QUANTISED) for part in network.modules()):
        wrong = "is quantised: its weights are packed, and its answers to an example depend on the "
        right = "Give the float network that it was made from."
        raise UnusableTeacher(f"teacher {target!r}", f"{wrong}others of a batch", right)


def settled(network: nn.Module) -> tuple[str, ...]:
    """Make eval() harmless on a network of torch.export, which has one mode; what is to be said."""
    try:
        network.eval()
    except NotImplementedError:
        network.train = MethodType(lambda self, mode=True: self, network)  # type: ignore[method-assign]
        return ("made by torch.export: it answers in the mode in which it was exported",)
    return ()


def inner(network: nn.Module) -> nn.Module:
    """The teacher's own network."""
    return network.network if isinstance(network, Adapted) else network


def state(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, each in memory of its own."""
    return {
        name: value.detach().clone(memory_format=contiguous_format)
        for name, value in inner(network).state_dict().items()
        if isinstance(value, Tensor)
    }


def fingerprint(network: nn.Module) -> str:
    """Hash of all parameters and buffers."""
    return hashlib.sha256(save(state(network))).hexdigest()


def sizes(network: nn.Module, input_shape: Shape) -> tuple[int, int | None, int | None]:
    """Parameters, and MACs and activations of one example where they can be counted."""
    parameters = sum(p.numel() for p in network.parameters())
    found: list[int | None] = []
    for count in (lambda *asked: measure(*asked)[1], activations):
        try:
            found.append(count(copy.deepcopy(inner(network)), input_shape))
        except Exception:  # whatever a forward of yours does when it is traced
            found.append(None)
    macs, alive = found
    return parameters, macs, alive
