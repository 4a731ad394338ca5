"""The flat, static search space in which every sample fits the budgets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from nas_kd.costs import LATENCY, Budget, Shape
from nas_kd.errors import BudgetTooSmall, UnusableBudget
from nas_kd.knowledge import KNOWLEDGE
from nas_kd.spec import StudySpec
from nas_kd.students import FAMILIES
from nas_kd.students.decode import (
    KINDS,
    chosen,
    cost,
    decode,
    expect,
    fits,
    join,
    latency,
    smallest,
)
from nas_kd.students.family import Option, StudentConfig

Sample = dict[str, Any]
"""A value for each of family, depth, width, taper, temperature, alpha, learning_rate, knowledge."""

NOISE = 0.1
"""A measurement may be uncertain by this share of the bound."""

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
    options: Mapping[str, tuple[Option, ...]]
    """What is chosen from, of each option of the families."""
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

    def smallest(
        self, family: str, depth: int, options: Mapping[str, Option] | None = None
    ) -> StudentConfig:
        """The smallest student of a family at a depth; with its first options unless said."""
        first = {name: values[0] for name, values in self.options.items()}
        return smallest(
            family,
            depth,
            self.input_shape,
            self.classes,
            self.spec.multiple_of,
            chosen(family, first | dict(options or {})),
        )

    def variants(self, family: str) -> list[dict[str, Option]]:
        """Every combination of the options of a family that can be drawn."""
        names = [name for name in self.options if name in FAMILIES[family].options]
        every = product(*(self.options[name] for name in names))
        return [dict(zip(names, values, strict=True)) for values in every]

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
    families = taking(spec, input_shape)
    options = offered(spec, families)
    whole = Space(spec, budgets, input_shape, classes, families, (1, 1), options)
    low, high = (int(end) for end in (spec.depth if isinstance(spec.depth, tuple)
                                      else (spec.depth, spec.depth)))  # fmt: skip
    fitting = {family: fitting_depths(whole, family, low, high) for family in families}
    low = max((min(d) for f, d in fitting.items() if d and not only_depth(f)), default=low)
    deepest = {family: max(depths, default=0) for family, depths in fitting.items()}
    enough = max(low, min(2, high, max(deepest.values())))
    kept = tuple(
        family
        for family in families
        if deepest[family] >= enough or (only_depth(family) and fitting[family])
    )
    if not kept:
        raise too_small(whole, low)
    left_out = [
        (family, f"it takes no {KINDS[len(input_shape) - 1].partition(' ')[0]}")
        for family in spec.family
        if family not in families
    ]
    left_out += [
        (family, too_shallow(deepest[family], enough, budgets))
        for family in families
        if family not in kept
    ]
    cut = (low, min((deepest[f] for f in kept if not only_depth(f)), default=low))
    options = offered(spec, kept)
    space = Space(spec, budgets, input_shape, classes, kept, cut, options, tuple(left_out))
    expect_measurable(space)
    return space


def expect_measurable(space: Space) -> None:
    """Raise UnusableBudget for a measured budget that is finer than what can be told here."""
    for bound in (budget.bound for budget in space.budgets if budget.cost == LATENCY):
        low, _ = space.depth
        smallest = [space.smallest(f, only_depth(f) or low) for f in space.families]
        half = max(latency(config).half for config in smallest)
        if half > NOISE * bound:
            raise UnusableBudget(
                f"budget {bound:g}us",
                f"is finer than can be measured here, where the smallest student is known to "
                f"+- {half:.1f}us",
                f"Ask for {ceil(half / NOISE):,}us or more, or let nothing else run meanwhile.",
            )


def too_shallow(deepest: int, enough: int, budgets: Sequence[Budget]) -> str:
    """Why a family is left out whose deepest student is too shallow."""
    if not deepest:
        return f"none of its students is within {join(budgets)}"
    return f"its deepest student within {join(budgets)} has {deepest} blocks, not {enough}"


def too_small(space: Space, low: int) -> BudgetTooSmall:
    """The error that names the smallest student of each family."""
    budget = space.budgets[0]
    least = {f: space.smallest(f, only_depth(f) or low) for f in space.families}
    return BudgetTooSmall(
        join(space.budgets),
        tuple((f, f"{cost(config, budget):,} {budget.cost}") for f, config in least.items()),
    )


def only_depth(family: str) -> int | None:
    """The depth of a family that has only one, whatever is asked; None if it has several."""
    depths = FAMILIES[family].depths
    return depths[0] if len(depths) == 1 else None


def taking(spec: StudySpec, input_shape: Shape) -> tuple[str, ...]:
    """The families of a spec that take such examples. Raises Unusable if there is none."""
    sides = len(input_shape) - 1
    families = tuple(family for family in spec.family if sides in FAMILIES[family].sides)
    if not families:
        expect(spec.family[0], input_shape)
    return families


def offered(spec: StudySpec, families: Sequence[str]) -> dict[str, tuple[Option, ...]]:
    """What is chosen from, of each option of these families: what the spec says, else all of what
    the family has searched, else its usual one."""
    found: dict[str, tuple[Option, ...]] = {}
    for part in (FAMILIES[family] for family in families):
        for name, values in part.options.items():
            usual = values if name in part.searched else values[:1]
            found[name] = spec.options.get(name, usual)
    return found


def fitting_depths(space: Space, family: str, low: int, high: int) -> list[int]:
    """The depths in [low, high] at which the family has a student that fits."""
    return [
        depth
        for depth in range(low, high + 1)
        if depth in FAMILIES[family].depths
        and all(
            fits(space.smallest(family, depth, options), space.budgets)
            for options in space.variants(family)
        )
    ]


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


def default_sample(space: Space, family: str, alpha: float | None = None) -> Sample:
    """The default student of a family: the largest that fits at its own depth and taper."""
    part = FAMILIES[family]
    wanted = DEFAULTS | {"depth": part.default_depth, "taper": part.default_taper}
    sample = {name: space.near(name, value) for name, value in wanted.items()}
    if alpha is not None:
        sample["alpha"] = alpha
    return complete(space, sample | {"family": family, "depth": int(sample["depth"])})


def first_samples(space: Space) -> list[Sample]:
    """The first trials: each family's default student, and the same without the teacher."""
    alphas = (None, 0.0) if space.ends("alpha")[0] == 0 < space.ends("alpha")[1] else (None,)
    return [default_sample(space, f, alpha) for f in space.families for alpha in alphas]
