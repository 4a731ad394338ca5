"""What knowledge terms keep of a teacher's layers, beside its answers.

Suffixes: V views, N rows, B rows of a piece, C channels, X the sides of a map.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas_kd.data.signals import Tap
from nas_kd.data.transfer import TransferSet, size
from nas_kd.data.views import PLAIN, View
from nas_kd.errors import Unusable, UnusableTeacher
from nas_kd.knowledge import KNOWLEDGE
from nas_kd.knowledge.layers import needs, taps_for
from nas_kd.students.taps import find_taps, listening, recorded
from nas_kd.teachers.asking import ask
from nas_kd.teachers.networks import inner
from nas_kd.teachers.teacher import Answerer
from nas_kd.workers.memory import out_of_memory

FEW = np.arange(2)


@dataclass(frozen=True, slots=True)
class Layers:
    """Which layers of a teacher are kept, and for which terms."""

    terms: tuple[str, ...] = ()
    """The terms that compare layers."""
    named: tuple[str, ...] = ()
    """The layers by name; none is those that are found by where the maps shrink."""


def chosen_layers(
    answerer: Answerer, data: TransferSet, layers: Layers, target: str
) -> dict[str, tuple[Tap, ...]]:
    """The teacher's taps that each term compares. Raises UnusableTeacher for a teacher that has
    not what a term needs, naming both."""
    if not layers.terms:
        return {}
    network = answerer.network and inner(answerer.network)
    if network is None:
        raise without_layers(target, layers.terms)
    given = f"teacher {target!r}"
    taps = named_taps(network, answerer, data, layers.named, given)
    found = {name: taps_for(KNOWLEDGE[name], taps) for name in layers.terms}
    for name, mine in found.items():
        if not mine:
            known = ", ".join(tap.name for tap in taps) or "none"
            wrong = f"has no {needs(KNOWLEDGE[name])}, which knowledge {name} compares"
            right = f"Name some with --teacher-layer, or take another term. Layers: {known}."
            raise UnusableTeacher(given, wrong, right)
    return found


def without_layers(target: str, terms: Sequence[str]) -> UnusableTeacher:
    """The error for a teacher of which only the answers are known."""
    wrong = (
        f"shows no layers, which knowledge {', '.join(terms)} compares: only its answers are known"
    )
    right = "Take terms of answers, such as kl or dkd, or a teacher that is one network."
    return UnusableTeacher(f"teacher {target!r}", wrong, right)


def named_taps(
    network: nn.Module, answerer: Answerer, data: TransferSet, named: Sequence[str], given: str
) -> tuple[Tap, ...]:
    """The taps of these names, or without names all that are found. Raises UnusableTeacher."""

    def run() -> Tensor:
        return ask(answerer, data, FEW + data.train[0])

    sides = len(data.input_shape) - 1
    if not named:
        return find_taps(network, run, sides)
    if unknown := [name for name in named if name not in dict(network.named_modules()) or not name]:
        some = ", ".join(tap.name for tap in find_taps(network, run, sides))
        wrong = f"is no layer of {given}"
        right = f"Its maps shrink after {some}; any name of named_modules() will do."
        raise UnusableTeacher(f"--teacher-layer {unknown[0]}", wrong, right)
    record = recorded(network, run)
    found = {event.name: event for event in record.events if isinstance(event, Tap)}
    for name in named:
        wrong = "gives no tensor of maps or vectors" if name not in found else ""
        if record.runs[name] > 1:
            wrong = f"works {record.runs[name]} times in one answer, and gives something else each"
        if wrong:
            right = "Name a layer that gives one tensor: maps [B, C, ...] or vectors [B, C]."
            raise UnusableTeacher(f"--teacher-layer {name}", wrong, right)
    return tuple(found[name] for name in named)


@torch.inference_mode()
def ask_layers(
    answerer: Answerer,
    data: TransferSet,
    row_N: NDArray[np.int64],
    how: View = PLAIN,
    taps: Mapping[str, Sequence[Tap]] | None = None,
) -> tuple[Tensor, dict[str, tuple[Tensor, ...]]]:
    """The teacher's logits [N, C] to rows as a view sees them, and what each term keeps of its
    layers, [N, ...] each. Raises UnusableTeacher."""
    if not taps:
        return ask(answerer, data, row_N, how), {}
    assert answerer.network is not None, "a teacher with layers is a network"
    names = dict.fromkeys(tap.name for mine in taps.values() for tap in mine)
    kept: dict[str, list[tuple[Tensor, ...]]] = {term: [] for term in taps}
    with listening(inner(answerer.network), list(names)) as gave:

        def answered(row_B: NDArray[np.int64], examples_BX: Tensor) -> Tensor:
            logits_BC = answerer.answer(row_B, examples_BX)
            for term, mine in taps.items():
                features = tuple(gave[tap.name].float().cpu() for tap in mine)
                kept[term].append(kept_of(term, features))
            return logits_BC

        logits_NC = ask(Answerer(answer=answered), data, row_N, how)
    return logits_NC, {
        term: tuple(torch.cat(parts) for parts in zip(*pieces, strict=True))
        for term, pieces in kept.items()
    }


def kept_of(term: str, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a term keeps of features [B, ...]. Raises Unusable for a term that fails, or keeps
    something else than tensors with a row an example."""
    try:
        found = tuple(KNOWLEDGE[term].keep(features))
        if any(len(one) != len(features[0]) for one in found):
            raise ValueError(f"it keeps {[tuple(one.shape) for one in found]}")
    except Exception as error:
        if out_of_memory(error):
            raise
        shapes = ", ".join(str(tuple(one.shape)) for one in features)
        wrong = f"cannot keep features {shapes} ({type(error).__name__}: {error})"
        right = "Its `keep` gives a tuple of tensors with a row an example."
        raise Unusable(f"the knowledge term {term!r}", wrong, right) from error
    return found


def kept_bytes(answerer: Answerer, data: TransferSet, layers: Layers, target: str) -> int:
    """How many bytes the terms keep of all examples in all views. Raises UnusableTeacher."""
    taps = chosen_layers(answerer, data, layers, target)
    _, kept = ask_layers(answerer, data, FEW + data.train[0], PLAIN, taps)
    values = sum(array.numel() for arrays in kept.values() for array in arrays) // len(FEW)
    return 4 * values * data.views.count * size(data.train)
