"""What Optuna is asked for, and how an answer becomes a complete sample."""

from collections.abc import Callable, Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from nas_kd.knowledge import KNOWLEDGE
from nas_kd.space.space import Sample, Space, only_depth
from nas_kd.students import FAMILIES
from nas_kd.students.family import Option


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """What Optuna is asked for: every setting that is not fixed."""
    asked: dict[str, BaseDistribution] = {}
    choices: dict[str, tuple[Option, ...]] = {
        "family": space.families,
        "knowledge": space.spec.knowledge,
    }
    choices |= space.options
    for name, values in choices.items():
        if len(values) > 1:
            asked[name] = CategoricalDistribution(values)
    for name, kind in NUMBERS.items():
        low, high = space.ends(name)
        if low < high:
            asked[name] = kind(low, high)
    return asked


def logarithmic(low: float, high: float) -> BaseDistribution:
    """A range searched in equal ratios."""
    return FloatDistribution(low, high, log=True)


def shares(low: float, high: float) -> BaseDistribution:
    """A range in steps of 0.05, so that both ends are drawn; continuous if an end is off-step."""
    on_step = all(abs(20 * end - round(20 * end)) < 1e-9 for end in (low, high))
    return FloatDistribution(low, high, step=0.05 if on_step else None)


NUMBERS: Mapping[str, Callable[[Any, Any], BaseDistribution]] = {
    "depth": IntDistribution,
    "width": logarithmic,
    "taper": logarithmic,
    "temperature": logarithmic,
    "alpha": shares,
    "learning_rate": logarithmic,
}


def complete(space: Space, params: Mapping[str, Any]) -> Sample:
    """A sample from what was asked, with fixed settings added and inert ones at one value."""
    sample: Sample = {name: space.ends(name)[0] for name in NUMBERS}
    firsts: Sample = {name: values[0] for name, values in space.options.items()}
    sample |= {"family": space.families[0], "knowledge": space.spec.knowledge[0]}
    sample |= firsts | dict(params)
    sample |= {n: first for n, first in firsts.items()
               if n not in FAMILIES[sample["family"]].options}  # fmt: skip
    sample["alpha"] = round(sample["alpha"], 6)
    if sample["alpha"] == 0:
        sample["knowledge"] = space.spec.knowledge[0]
    if sample["alpha"] == 0 or not KNOWLEDGE[sample["knowledge"]].tempered:
        sample["temperature"] = space.near("temperature", 1.0)
    sample["depth"] = only_depth(sample["family"]) or sample["depth"]
    if FAMILIES[sample["family"]].stages(sample["depth"]) == 1:
        sample["taper"] = space.near("taper", 1.0)
    return sample
