"""What Optuna is asked for, and how its answer becomes a complete sample."""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from nas_kd.knowledge import mixture
from nas_kd.space.space import Space, only_depth
from nas_kd.spec import StudySpec
from nas_kd.spec.settings import Sample, Value
from nas_kd.students import FAMILIES


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """What Optuna is asked for: the family, every setting and every option that is not fixed."""
    choices: dict[str, tuple[Any, ...]] = {"family": space.families}
    choices |= {name: space.values(name) for name, row in space.spec.rows.items() if row.of_choices}
    choices |= space.options
    asked: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(values) for name, values in choices.items() if len(values) > 1
    }
    for name, row in space.spec.rows.items():
        if not row.of_choices:
            low, high = space.ends(name)
            if low < high:
                asked[name] = row.distribution(low, high)
    return asked


def complete(space: Space, params: Mapping[str, Any]) -> Sample:
    """A sample from what was asked, with fixed settings added and inert ones at one value."""
    sample: Sample = {"family": space.families[0]}
    sample |= {name: space.values(name)[0] for name in space.spec.rows}
    firsts: Sample = {name: values[0] for name, values in space.options.items()}
    sample |= firsts | dict(params)
    family = FAMILIES[sample["family"]]
    sample |= {name: first for name, first in firsts.items() if name not in family.options}
    sample["alpha"] = round(sample["alpha"], 6)
    if sample["alpha"] > (most := most_alpha(space.spec, sample)):
        sample["alpha"] = space.near("alpha", most)
    sample["depth"] = only_depth(sample["family"]) or sample["depth"]
    for name, row in space.spec.rows.items():
        if row.inert(sample):
            sample[name] = space.near(name, row.neutral)
    return sample


def most_alpha(spec: StudySpec, sample: Sample) -> float:
    """The greatest alpha with which a student of this sample learns to answer."""
    return min(spec.who_teaches.most_alpha, mixture(sample["knowledge"]).most_alpha)


def params_of(space: Space, sample: Sample, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as Optuna stores it. A family of one depth has its depth in its config; stored is
    the nearest depth of the range that others are searched in."""
    return {n: space.near(n, sample[n]) if n == "depth" else sample[n] for n in asked}


def settings_of(space: Space, sample: Sample) -> dict[str, Value]:
    """The settings of a sample, without its family and options."""
    return {name: sample[name] for name in space.spec.rows}
