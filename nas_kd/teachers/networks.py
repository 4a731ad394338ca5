"""Teachers that are networks: their weights loaded, their state hashed, their sizes counted."""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MethodType

import torch
from safetensors.torch import save
from torch import Tensor, contiguous_format, nn
from torch.nn.parameter import is_lazy

from nas_kd.costs.budgets import Shape
from nas_kd.costs.counting import activations, measure
from nas_kd.data.source import Rows_N
from nas_kd.data.transfer import TransferSet, shape_in_words
from nas_kd.errors import UnusableTeacher
from nas_kd.spec.teachers import TRAINED
from nas_kd.teachers.adapting import Adapted, TeacherInput, choose, prepare, probabilities
from nas_kd.teachers.checkpoints import fit
from nas_kd.teachers.teacher import Answerer, Teacher
from nas_kd.training import normaliser, tensor

QUANTISED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")
"""Where torch has the modules of quantised networks."""

ANSWERS_ONLY = "it holds no weights as a state dict: it is known by its answers alone"


def of_network(
    network: nn.Module,
    teacher: Teacher,
    data: TransferSet,
    device: str,
    weights: str | None = None,
    parameters: int | None = None,
    sha256: str = "",
) -> Answerer:
    """A network, with the weights of a file if there is one, as a teacher that can be asked.

    `parameters` and `sha256` are for networks whose state dict is empty. Raises UnusableTeacher.
    """
    network, notes = loaded(network, teacher, weights)
    if inner(network).state_dict():
        parameters = sum(value.numel() for value in network.parameters())
    elif not sha256:
        notes += (ANSWERS_ONLY,)
    notes += converted(network, data)
    return Answerer(
        answer=answering(network, data, device),
        network=network,
        parameters=parameters,
        sha256=sha256,
        notes=notes,
    )


def answering(
    network: nn.Module, data: TransferSet, device: str
) -> Callable[[Rows_N, Tensor], Tensor]:
    """How a network on a device answers examples as they are stored."""
    normalise = normaliser(data, device=torch.device(device))
    network.to(device)

    def answer(row_B: Rows_N, examples_BX: Tensor) -> Tensor:
        logits_BC: Tensor = network(normalise(examples_BX.to(device))).float()
        return logits_BC.cpu()

    return answer


def loaded(
    network: nn.Module, teacher: Teacher, weights: str | None
) -> tuple[nn.Module, tuple[str, ...]]:
    """The network with its weights, in eval mode and frozen, and what had to be undone for it.
    Raises UnusableTeacher."""
    network = network.float().cpu()
    expect_tensors(network, teacher.target)
    notes = fit(Path(weights), network, teacher.target) if weights else ()
    if any(map(is_lazy, network.parameters())):
        wrong = "has layers that have no size yet, such as nn.LazyLinear"
        right = "Call it once on an example before the function returns it, or name its weights."
        raise UnusableTeacher(f"teacher {teacher.target!r}", wrong, right)
    notes += settled(network)
    if teacher.kind != TRAINED:
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


def made_of(answerer: Answerer) -> str:
    """Hash of what a teacher is made of: its file, or its parameters and buffers; empty where
    neither is known."""
    network = answerer.network
    if answerer.sha256 or network is None or not state(network):
        return answerer.sha256
    return fingerprint(network)


def seen_shape(expects: TeacherInput, input_shape: Shape) -> Shape:
    """The shape of an example as the teacher's own network sees it."""
    channels, *sides = input_shape
    return (
        3 if expects.colour and channels == 1 else channels,
        *([expects.size] * 2 if expects.size else sides),
    )


@torch.inference_mode()
def converted(network: nn.Module, data: TransferSet) -> tuple[str, ...]:
    """Set what the adapter does to a network's answers, by those to a few training examples,
    and give it in words."""
    if not isinstance(network, Adapted):
        return ()
    first, last = data.labelled
    images = tensor(data.examples)[first : min(last, first + 64)]
    try:
        found = network.network(prepare(normaliser(data)(images), network.expects))
    except Exception:
        return ()  # whoever asks it for more says what is wrong
    classes, output = network.classes, network.expects.output
    chosen_BC = choose(found, len(images), classes, output, network.name)
    whose = "its own" if network.expects.mean is not None else "the data's"
    side = shape_in_words(seen_shape(network.expects, data.input_shape))
    notes: tuple[str, ...] = (f"sees {side}, with {whose} normalisation",)
    gives = network.expects.gives
    if gives and not probabilities(chosen_BC):
        wrong = "is said to give probabilities, and its answers are none: below 0, or not of sum 1"
        raise UnusableTeacher(network.name, wrong, "Leave --fix teacher_gives=probabilities out.")
    if gives if gives is not None else probabilities(chosen_BC):
        network.expects = replace(network.expects, probabilities=True)
        notes += ("its outputs are probabilities; their logarithms are used as logits",)
    return notes


def sizes(network: nn.Module, input_shape: Shape) -> tuple[int, int | None, int | None]:
    """Parameters, and MACs and activations of one example where they can be counted."""
    parameters = sum(p.numel() for p in network.parameters())
    found: list[int | None] = []
    for count in (lambda *asked: measure(*asked)[1], lambda *asked: activations(*asked)[0]):
        try:
            found.append(count(copy.deepcopy(inner(network)), input_shape))
        except Exception:  # whatever a forward of yours does when it is traced
            found.append(None)
    macs, alive = found
    return parameters, macs, alive
