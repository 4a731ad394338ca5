"""Plain multi-layer perceptrons: linear layers with ReLU between, no normalisation."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from nas_kd.costs.budgets import Counts
from nas_kd.students.family import Family, Pack, StudentConfig
from nas_kd.students.layers import Layer, total
from nas_kd.students.packing import PackedLinear, wide, widened


def sizes(config: StudentConfig) -> tuple[int, ...]:
    """Every layer's width, from the flattened input to the classes."""
    return (prod(config.input_shape), *config.channels, config.classes)


def build(config: StudentConfig) -> nn.Module:
    """Flatten, then a linear layer and a ReLU a width, then one logit a class."""
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise(sizes(config)[:-1]):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes(config)[-2], config.classes))


def counts(config: StudentConfig) -> Counts:
    """A weight and a MAC for each pair of neighbouring units, a bias for each unit."""
    layers = [
        Layer(fan_in * fan_out, 1, fan_out, fan_in + fan_out, normed=False)
        for fan_in, fan_out in pairwise(sizes(config))
    ]
    layers[-1] = replace(layers[-1], logits=config.classes)
    return total(layers)


class Packed(nn.Module):
    """Several perceptrons in one, the deepest first; a shallower one leaves early."""

    def __init__(self, configs: Sequence[StudentConfig]) -> None:
        super().__init__()
        widths = [wide(configs, block) for block in range(configs[0].depth)]
        fan_ins = [prod(configs[0].input_shape), *map(max, widths)]
        self.hidden = nn.ModuleList(
            PackedLinear(len(here), fan_in, max(here))
            for here, fan_in in zip(widths, fan_ins, strict=False)
        )
        self.stay = [*map(len, widths[1:]), 0]
        self.last = max(config.channels[-1] for config in configs)
        self.head = PackedLinear(len(configs), self.last, configs[0].classes)

    def forward(self, examples_BX: Tensor) -> Tensor:
        """Logits [G, B, C]."""
        features_GFB, left = examples_BX.flatten(1).T, []
        for layer, stay in zip(self.hidden, self.stay, strict=True):
            features_GFB = layer(features_GFB).relu()
            left.append(widened(features_GFB[stay:], self.last))
            features_GFB = features_GFB[:stay]
        logits_GCB: Tensor = self.head(torch.cat(left[::-1]))
        return logits_GCB.transpose(1, 2)


def names(config: StudentConfig) -> dict[str, str]:
    """Where each layer of a perceptron is in a packed one."""
    hidden = {str(1 + 2 * block): f"hidden.{block}" for block in range(config.depth)}
    return hidden | {str(1 + 2 * config.depth): "head"}


MLP = Family(
    build=build,
    counts=counts,
    default_depth=2,
    default_taper=1.0,
    sides=frozenset({0, 1, 2}),
    pack=Pack(Packed, names),
)
