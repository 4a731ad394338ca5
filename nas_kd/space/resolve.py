"""From a spec to its search space: depths and families are cut to what fits the budgets."""

from collections.abc import Sequence
from itertools import product
from math import ceil

from nas_kd.costs.budgets import LATENCY, QUANTISED, Budget, Shape
from nas_kd.errors import BudgetTooSmall, Unusable, UnusableBudget
from nas_kd.knowledge import KNOWLEDGE
from nas_kd.knowledge.layers import needs, taps_for
from nas_kd.space.space import Space, only_depth
from nas_kd.spec import StudySpec
from nas_kd.students import FAMILIES, build
from nas_kd.students.decode import KINDS, costs, expect, fits, join, latency
from nas_kd.students.family import Option
from nas_kd.students.quantised import expect_quantisable
from nas_kd.students.taps import taps_of
from nas_kd.training.side_by_side import exit_taps

NOISE = 0.1
"""A measurement may be uncertain by this share of the bound."""


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
    expect_layers(whole, low, high)
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
    expect_integers(space)
    return space


def depths_of(family: str, low: int, high: int) -> list[int]:
    """The depths in [low, high] that a family has, or its only depth."""
    only = only_depth(family)
    return [d for d in ([only] if only else range(low, high + 1)) if d in FAMILIES[family].depths]


def lacking(space: Space, family: str, depth: int) -> list[str]:
    """What a student of a family at a depth lacks, in words: layers that a term compares, or a
    stage for an early exit."""
    spec = space.spec
    if not spec.layer_terms and not spec.who_teaches.exits:
        return []
    try:
        config = space.smallest(family, depth)
        taps = taps_of(config)
        exits = not spec.who_teaches.exits or exit_taps(config)
    except Exception:
        return []  # a family that cannot be built is refused where its students are counted
    lacks = [
        f"{name} compares {needs(KNOWLEDGE[name])}"
        for name in spec.layer_terms
        if not taps_for(KNOWLEDGE[name], taps)
    ]
    return lacks if exits else [*lacks, f"{spec.scheme} need a stage before the last"]


def expect_layers(space: Space, low: int, high: int) -> None:
    """Raise Unusable for layers that terms or a scheme need and no student of a family has, naming
    all of them."""
    found = []
    for family in space.families:
        first, *rest = [lacking(space, family, d) for d in depths_of(family, low, high)] or [[]]
        found += [f"{need}, and the family {family} has none"
                  for need in first if all(need in lacks for lacks in rest)]  # fmt: skip
    if found:
        right = "Take other families or depths (--family, --fix depth=N), another term or scheme."
        raise Unusable("knowledge", "; ".join(found), right)


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


def expect_integers(space: Space) -> None:
    """Raise Unusable for a family whose students are to be quantised and have no 8-bit form."""
    if QUANTISED not in space.values("bits"):
        return
    for family in space.families:
        depths = dict.fromkeys([only] if (only := only_depth(family)) else space.depth)
        for depth, options in product(depths, space.variants(family)):
            config = space.smallest(family, depth, options)
            try:
                expect_quantisable(build(config).eval(), config.input_shape)
            except Unusable as error:
                raise Unusable(f"family {family!r}", error.wrong, error.right) from error


def too_shallow(deepest: int, enough: int, budgets: Sequence[Budget]) -> str:
    """Why a family is left out whose deepest student is too shallow."""
    if not deepest:
        return f"none of its students is within {join(budgets)}"
    return f"its deepest student within {join(budgets)} has {deepest} blocks, not {enough}"


def too_small(space: Space, low: int) -> BudgetTooSmall:
    """The error that names the smallest student of each family."""
    least = {f: space.smallest(f, only_depth(f) or low) for f in space.families}
    return BudgetTooSmall(
        join(space.budgets), tuple((f, costs(config, space.budgets)) for f, config in least.items())
    )


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
    """The depths in [low, high], or the only depth, at which the family fits the budgets, and has
    the layers that terms compare.

    Its smallest student must fit with every combination of the searched options.
    """
    return [
        depth
        for depth in depths_of(family, low, high)
        if not lacking(space, family, depth)
        and all(
            fits(space.smallest(family, depth, options), space.budgets)
            for options in space.variants(family)
        )
    ]
