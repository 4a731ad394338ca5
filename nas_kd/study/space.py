"""The flat, static search space in which every sample fits the budgets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from nas_kd.costs import Budget, Shape
from nas_kd.errors import BudgetTooSmall
from nas_kd.knowledge import KNOWLEDGE
from nas_kd.spec import StudySpec
from nas_kd.students import FAMILIES
from nas_kd.students.decode import cost, decode, fits, join, smallest
from nas_kd.students.family import StudentConfig

Sample = dict[str, Any]
"""A value for each of family, depth, width, taper, temperature, alpha, learning_rate, knowledge."""

DEFAULTS = {"width": 1.0, "temperature": 4.0, "alpha": 0.9, "learning_rate": 0.02}
"""What a family's default student has beside its own depth and taper."""


@dataclass(frozen=True, slots=True)
class Space:
    """The spec's settings, cut to what every kept family can build within the budgets."""

    spec: StudySpec
    budgets: tuple[Budget, ...]
    input_shape: Shape
    classes: int
    families: tuple[str, ...]
    depth: tuple[int, int]
    left_out: tuple[tuple[str, str], ...] = ()
    """Families that are not searched, each with the reason."""

    def ends(self, name: str) -> tuple[float, float]:
        """The least and greatest value of a setting."""
        setting = self.depth if name == "depth" else getattr(self.spec, name)
        return setting if isinstance(setting, tuple) else (setting, setting)

    def near(self, name: str, value: float) -> float:
        """The allowed value nearest to `value`."""
        low, high = self.ends(name)
        return min(max(value, low), high)

    def smallest(self, family: str, depth: int) -> StudentConfig:
        """The smallest student of a family at a depth."""
        return smallest(family, depth, self.input_shape, self.classes, self.spec.multiple_of)

    def student(self, sample: Sample) -> StudentConfig:
        """The student of a sample."""
        return decode(sample, self.budgets, self.input_shape, self.classes, self.spec.multiple_of)


def resolve(
    spec: StudySpec, budgets: tuple[Budget, ...], input_shape: Shape, classes: int
) -> Space:
    """Cut the depths to what every family can build; leave out families that would cut too much.

    A family is left out when it cannot be 2 deep (or as deep as the spec's least depth). Raises
    BudgetTooSmall when no family is left.
    """
    whole = Space(spec, budgets, input_shape, classes, spec.family, (1, 1))
    low, high = (int(end) for end in (spec.depth if isinstance(spec.depth, tuple)
                                      else (spec.depth, spec.depth)))  # fmt: skip
    deepest = {family: reach(whole, family, low, high) for family in spec.family}
    enough = max(low, min(2, high))
    if not any(depth >= enough for depth in deepest.values()):
        enough = max(low, max(deepest.values()))
    kept = tuple(family for family, depth in deepest.items() if depth >= enough)
    if not kept:
        least = tuple(
            (family, f"{cost(whole.smallest(family, low), budgets[0]):,} {budgets[0].cost}")
            for family in spec.family
        )
        raise BudgetTooSmall(join(budgets), least)
    left_out = tuple(
        (family, f"its deepest student within {join(budgets)} has {depth} blocks, not {enough}")
        for family, depth in deepest.items()
        if family not in kept
    )
    cut = (low, min(deepest[family] for family in kept))
    return Space(spec, budgets, input_shape, classes, kept, cut, left_out)


def reach(space: Space, family: str, low: int, high: int) -> int:
    """The greatest depth in [low, high] at which the family has a student that fits; else 0."""
    depths = [d for d in range(low, high + 1) if d in FAMILIES[family].depths]
    fitting = [d for d in depths if fits(space.smallest(family, d), space.budgets)]
    return max(fitting, default=0)


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """What Optuna is asked for: every setting that is not fixed."""
    asked: dict[str, BaseDistribution] = {}
    for name, names in (("family", space.families), ("knowledge", space.spec.knowledge)):
        if len(names) > 1:
            asked[name] = CategoricalDistribution(names)
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
    sample |= {"family": space.families[0], "knowledge": space.spec.knowledge[0]} | dict(params)
    sample["alpha"] = round(sample["alpha"], 6)
    if sample["alpha"] == 0:
        sample["knowledge"] = space.spec.knowledge[0]
    if sample["alpha"] == 0 or not KNOWLEDGE[sample["knowledge"]].tempered:
        sample["temperature"] = space.near("temperature", 1.0)
    if sample["depth"] == 1:
        sample["taper"] = space.near("taper", 1.0)
    return sample


def default_sample(space: Space, family: str, alpha: float | None = None) -> Sample:
    """The default student of a family: the largest that fits at its own depth and taper."""
    part = FAMILIES[family]
    wanted = DEFAULTS | {"depth": part.default_depth, "taper": part.default_taper}
    sample = {name: space.near(name, value) for name, value in wanted.items()}
    if alpha is not None:
        sample["alpha"] = alpha
    return complete(space, sample | {"family": family, "depth": int(sample["depth"])})


def first_samples(space: Space) -> list[Sample]:
    """The fixed first trials: each family's default student, and the same without the teacher."""
    alphas = (None, 0.0) if space.ends("alpha")[0] == 0 < space.ends("alpha")[1] else (None,)
    return [default_sample(space, f, alpha) for f in space.families for alpha in alphas]
