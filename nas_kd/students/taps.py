"""Taps: the places in a network whose outputs a knowledge term may ask for.

They are found by where the maps shrink. A stage is a run of layers whose maps have equal sides, and
its tap is what it gives last; after the last map, and in networks without maps, the input of each
linear layer is one. So a perceptron has a tap for each hidden layer, and the last tap is what the
logits are computed from.

Suffixes: B examples, C channels, X the sides of a map (none, if it is a vector).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from nas_kd.data.signals import Tap
from nas_kd.students import build
from nas_kd.students.family import StudentConfig

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)


@torch.no_grad()
def find_taps(network: nn.Module, run: Callable[[], Any], every: bool = False) -> tuple[Tap, ...]:
    """The taps of a network, in the order in which they are computed; with `every` the input of
    each convolution is one too. `run` has the network answer some examples, whichever."""
    found: list[Tap] = []
    within: list[Tap] = []
    latest: Tap | None = None
    weighted = False

    def before_weighted(part: nn.Module, _: Any) -> None:
        nonlocal weighted
        if latest and weighted and latest.sides and isinstance(part, nn.Conv1d | nn.Conv2d):
            within.append(latest)
        elif latest and weighted and not latest.sides and isinstance(part, nn.Linear):
            found.append(latest)
        weighted = True

    def after(name: str, given: Any) -> None:
        nonlocal latest
        if not isinstance(given, Tensor) or given.ndim < 2:
            return
        channels, *rest = given.shape[1:]
        sides = tuple(rest) if prod(rest) > 1 else ()
        latest = Tap(name, channels, sides)
        if sides:
            while found and (not found[-1].sides or found[-1].sides == sides):
                found.pop()
            found.append(latest)

    hooks = []
    for name, part in network.named_modules():
        if isinstance(part, WEIGHTED):
            hooks.append(part.register_forward_pre_hook(before_weighted))
        if name:
            hooks.append(part.register_forward_hook(
                lambda part, given, out, name=name: after(name, out)))  # fmt: skip
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(dict.fromkeys((*within, *found) if every else found))


def taps_of(config: StudentConfig, every: bool = False) -> tuple[Tap, ...]:
    """The taps of a student."""
    with torch.device("meta"):
        network = build(config).eval()
        return find_taps(network, lambda: network(torch.empty(2, *config.input_shape)), every)


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
