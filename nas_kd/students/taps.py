"""Taps: the places in a network whose outputs a knowledge term may ask for.

They are found by where the maps shrink. A stage is a run of layers whose maps have equal sides, and
its tap is what it gives last; after the last map, and in networks without maps, the input of each
linear layer is one. So a perceptron has a tap for each hidden layer, and the last tap is what the
logits are computed from.

Suffixes: B examples, C channels, X the sides of a map (none, if it is a vector).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from nas_kd.data.signals import Tap
from nas_kd.students import build
from nas_kd.students.family import StudentConfig

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)


@dataclass(slots=True)
class Recorded:
    """What happened in one forward pass: what modules gave, and where layers with weights began."""

    events: list[Tap | type[nn.Module]] = field(default_factory=list)
    """The output of each module in the order of computing, and the kind of each weighted layer
    before it works."""
    runs: Counter[str] = field(default_factory=Counter)
    """How often each module worked."""


@torch.no_grad()
def recorded(network: nn.Module, run: Callable[[], Any]) -> Recorded:
    """What happens while `run` has the network answer some examples."""
    found = Recorded()

    def after(name: str, given: Any) -> None:
        found.runs[name] += 1
        if isinstance(given, Tensor) and given.ndim > 1:
            channels, *sides = given.shape[1:]
            found.events.append(Tap(name, channels, tuple(sides) if prod(sides) > 1 else ()))

    hooks = []
    for name, part in network.named_modules():
        if isinstance(part, WEIGHTED):
            hooks.append(part.register_forward_pre_hook(
                lambda part, given: found.events.append(type(part))))  # fmt: skip
        if name:
            hooks.append(part.register_forward_hook(
                lambda part, given, out, name=name: after(name, out)))  # fmt: skip
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return found


def find_taps(
    network: nn.Module, run: Callable[[], Any], sides: int, every: bool = False
) -> tuple[Tap, ...]:
    """The taps of a network for examples of so many sides, in the order in which they are computed;
    with `every` the input of each convolution is one too.

    `run` has the network answer some examples, whichever. A module that works several times in one
    pass is no tap, for it gives several things; what has more positions than the map before it is
    no map but some other layout, such as tokens.
    """
    record = recorded(network, run)
    stages: list[Tap] = []
    vectors: list[Tap] = []
    within: list[Tap] = []
    latest: Tap | None = None
    begun = False
    for event in record.events:
        if not isinstance(event, Tap):
            if latest and begun and latest.sides and event is not nn.Linear:
                within.append(latest)
            elif latest and begun and not latest.sides and event is nn.Linear:
                vectors.append(latest)
            begun = True
        elif record.runs[event.name] == 1 and event.sides:
            if is_map(event, stages, sides):
                stages = [*(one for one in stages if one.sides != event.sides), event]
                vectors, latest = [], event
        elif record.runs[event.name] == 1:
            latest = event
    maps = dict.fromkeys((*within, *stages) if every else stages)
    return tuple(without_logits([*maps, *dict.fromkeys(vectors)], record))


def is_map(tap: Tap, stages: Sequence[Tap], sides: int) -> bool:
    """Whether an output is maps of an example with so many sides."""
    return len(tap.sides) == sides and (not stages or prod(tap.sides) <= prod(stages[-1].sides))


def without_logits(taps: list[Tap], record: Recorded) -> list[Tap]:
    """The taps without a last one whose mean over positions is the logits."""
    answered = [event for event in record.events if isinstance(event, Tap)]
    last = taps[-1] if len(taps) > 1 else None
    if last and last.sides and last.channels == answered[-1].channels:
        return taps[:-1]
    return taps


def taps_of(config: StudentConfig, every: bool = False) -> tuple[Tap, ...]:
    """The taps of a student."""
    return remembered(config.to_json(), every)


@lru_cache(maxsize=1024)
def remembered(config: str, every: bool) -> tuple[Tap, ...]:
    """The taps of a student whose config is given as JSON."""
    student = StudentConfig.from_json(config)
    shape = student.input_shape
    with torch.device("meta"):
        network = build(student).eval()
        return find_taps(network, lambda: network(torch.empty(2, *shape)), len(shape) - 1, every)


@contextmanager
def listening(network: nn.Module, taps: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """What the named modules gave in the latest forward pass, by their names."""
    given: dict[str, Tensor] = {}
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda part, taken, out, name=name: given.__setitem__(name, out)
        )
        for name in taps
    ]
    try:
        yield given
    finally:
        for hook in hooks:
            hook.remove()
