"""Any network as a family: the same layers, narrower, and fewer of the blocks that repeat.

Every layer gives the same share of its channels, and takes as many as come, so that sums and
concatenations hold; the last gives the data's classes, the first takes the data's channels.
Initial weights are torch's usual ones, whatever the network's own author draws.
"""

import copy
from collections.abc import Callable, Iterator
from functools import lru_cache
from math import gcd
from typing import Any

import torch
from torch import Tensor, nn

from nas_kd.costs.budgets import Shape
from nas_kd.errors import Unusable
from nas_kd.students.family import Family, StudentConfig

MOMENTUM = 0.1
"""Of batch norms: torch's usual one. Mobile networks have 0.01, whose statistics are still far off
at the end of the short training of a student."""

Make = Callable[[int], nn.Module]
"""A function of the number of classes, which it may ignore."""

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)
LAYERS = (*CONVOLUTIONS, nn.Linear, *NORMS)
"""Layers with weights that can be made narrower."""

CONSTANTS = "_constants"
"""Under this name a module without values keeps those of its buffers, such as a normalisation."""


def scaled(name: str, make: Make) -> Family:
    """The family of what `make` gives. Its one width is that of the network's widest layer.

    Raises Unusable for weights outside of the layers that can be made narrower.
    """
    whole = expect_known(name, template(make, 2))
    widest = max(outputs(layer) for layer in weighted(whole))

    def build(config: StudentConfig) -> nn.Module:
        network = shortened(template(make, config.classes), config.depth)
        last = last_used(make, config.classes, config.depth, config.input_shape)
        adapt(network, config, config.channels[0] / widest, last)
        return drawn(network)

    deepest = max((len(stage) for _, stage in stages(whole)), default=1)
    return Family(
        build,
        default_depth=deepest,
        depths=range(1, deepest + 1),
        sides=frozenset({0, 1, 2}),
        stages=lambda depth: 1,
        whole=widest,
    )


@lru_cache(maxsize=16)
def template(make: Make, classes: int) -> nn.Module:
    """The whole network without values, but for the constants in its buffers; what the seeds draw
    is as if it had not been made."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        network = make(classes)
    for part in network.modules():
        if not isinstance(part, LAYERS) and (buffers := dict(part.named_buffers(recurse=False))):
            setattr(part, CONSTANTS, {name: value.clone() for name, value in buffers.items()})
    return network.to("meta")


def weighted(network: nn.Module) -> Iterator[nn.Module]:
    """The layers that have weights, in the order in which they were made."""
    return (part for part in network.modules() if isinstance(part, LAYERS))


def outputs(layer: nn.Module) -> int:
    """How many channels a layer gives; a norm none of its own."""
    if isinstance(layer, CONVOLUTIONS):
        return layer.out_channels
    return layer.out_features if isinstance(layer, nn.Linear) else 0


def inputs(layer: nn.Module) -> int:
    """How many channels a layer takes."""
    return (
        layer.in_channels if isinstance(layer, CONVOLUTIONS) else getattr(layer, "in_features", 0)
    )


def expect_known(name: str, network: nn.Module) -> nn.Module:
    """The network itself. Raises Unusable if it has weights that nobody here makes narrower."""
    known = {id(value) for part in weighted(network) for value in part.parameters(recurse=False)}
    odd = [n for n, value in network.named_parameters() if id(value) not in known]
    if odd or not any(outputs(layer) for layer in weighted(network)):
        wrong = f"has {odd[0]!r} outside of its layers" if odd else "has no layers"
        right = "What can be narrower is made of convolutions, linear layers and norms."
        raise Unusable(f"family {name!r}", wrong, right)
    return network


def stages(network: nn.Module) -> list[tuple[nn.Sequential, list[int]]]:
    """Runs of blocks of one kind in each sequence, of which all but the first can be left out:
    they give as many channels as they take, at every position."""
    found: list[tuple[nn.Sequential, list[int]]] = []
    for part in network.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for number, block in enumerate(part):
            if number and type(block) is type(part[number - 1]) and repeats(block):
                found[-1][1].append(number)
            else:
                found.append((part, [number]))
    return found


def repeats(block: nn.Module) -> bool:
    """Whether a block of several layers gives what it takes."""
    layers = [layer for layer in weighted(block) if outputs(layer)]
    strides = [layer.stride for layer in layers if isinstance(layer, CONVOLUTIONS)]
    return (
        len(layers) > 1
        and inputs(layers[0]) == outputs(layers[-1])
        and all(step == 1 for stride in strides for step in stride)
    )


def shortened(network: nn.Module, depth: int) -> nn.Module:
    """A copy in which no stage has more than so many blocks."""
    network = copy.deepcopy(network)
    for part, stage in reversed(stages(network)):
        for number in reversed(stage[depth:]):
            del part[number]
    return network


@lru_cache(maxsize=256)
def last_used(make: Make, classes: int, depth: int, input_shape: Shape) -> str:
    """The name of the layer that computes the logits.

    It is the last convolution or linear layer that runs in a forward pass.
    """
    network = shortened(template(make, classes), depth)
    names = {part: name for name, part in network.named_modules()}
    used: list[str] = []

    def visit(layer: nn.Module, came: Tensor) -> None:
        if outputs(layer):
            used.append(names[layer])
        take(layer, came)

    run(network, input_shape, visit)
    return used[-1]


def adapt(network: nn.Module, config: StudentConfig, share: float, last: str) -> None:
    """Give each layer its share of its channels, and the last the classes.

    Raises ValueError for a network that answers something else than logits.
    """
    end = network.get_submodule(last)
    seen: set[nn.Module] = set()

    def fit(layer: nn.Module, came: Tensor) -> None:
        if layer in seen:
            return
        seen.add(layer)
        wanted = config.classes if layer is end else max(1, round(share * outputs(layer)))
        take(layer, came, wanted)

    answer = run(network, config.input_shape, fit)
    if not isinstance(answer, Tensor) or answer.shape != (2, config.classes):
        got = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise ValueError(f"it answers {got}, not logits [B, {config.classes}]")
    idle = [
        n for n, part in network.named_modules() if isinstance(part, LAYERS) and part not in seen
    ]
    for name in idle:
        network.set_submodule(name, nn.Identity())


def run(network: nn.Module, shape: Shape, visit: Callable[[nn.Module, Tensor], None]) -> Any:
    """What the network answers to two empty examples; `visit` sees each layer before it works."""
    hooks = [
        layer.register_forward_pre_hook(lambda layer, given: visit(layer, given[0]))
        for layer in weighted(network)
    ]
    try:
        with torch.no_grad():
            return network.train()(torch.empty((2, *shape), device="meta"))
    finally:
        for hook in hooks:
            hook.remove()


def take(layer: nn.Module, came: Tensor, wanted: int | None = None) -> None:
    """Have a layer take what came, and give as many channels as wanted, or as it did."""
    match layer:
        case nn.Conv1d() | nn.Conv2d():
            fan_in, before = came.shape[1], layer.out_channels
            wanted = before if wanted is None else wanted
            if 1 < layer.groups == layer.in_channels:  # each channel on its own stays that
                groups, wanted = fan_in, fan_in * (before // layer.in_channels)
            else:
                groups = divisor(gcd(fan_in, wanted), layer.groups)
            layer.in_channels, layer.out_channels, layer.groups = fan_in, wanted, groups
            layer.weight = empty(wanted, fan_in // groups, *layer.kernel_size)
            layer.bias = None if layer.bias is None else empty(wanted)
        case nn.Linear():
            layer.in_features = came.shape[-1]
            layer.out_features = layer.out_features if wanted is None else wanted
            layer.weight = empty(layer.out_features, layer.in_features)
            layer.bias = None if layer.bias is None else empty(layer.out_features)
        case nn.LayerNorm():
            layer.normalized_shape = (came.shape[-1],)
            resized(layer, came.shape[-1])
        case nn.GroupNorm():
            layer.num_channels = came.shape[1]
            layer.num_groups = divisor(came.shape[1], layer.num_groups)
            resized(layer, came.shape[1])
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            layer.num_features, layer.momentum = came.shape[1], MOMENTUM
            resized(layer, came.shape[1])


def divisor(number: int, most: int) -> int:
    """The largest divisor of a number that is at most `most`."""
    return next(d for d in range(min(number, most), 0, -1) if number % d == 0)


def resized(norm: nn.Module, channels: int) -> None:
    """Give a norm so many scales, shifts and statistics, where it has them."""
    for name, value in [*norm.named_parameters(recurse=False)]:
        setattr(norm, name, empty(*([channels] * value.ndim)))
    for name, statistic in [*norm.named_buffers(recurse=False)]:
        if statistic.ndim:
            setattr(norm, name, torch.empty(channels, device="meta"))


def empty(*shape: int) -> nn.Parameter:
    """Weights without values."""
    return nn.Parameter(torch.empty(shape, device="meta"))


def drawn(network: nn.Module) -> nn.Module:
    """The network with freshly drawn weights, unless it is wanted without values."""
    if torch.get_default_device().type == "meta":
        return network
    network = network.to_empty(device=torch.get_default_device())
    for layer in weighted(network):
        layer.reset_parameters()  # type: ignore[operator]
    for part in network.modules():
        for name, value in part.__dict__.pop(CONSTANTS, {}).items():
            getattr(part, name).copy_(value)
    return network
