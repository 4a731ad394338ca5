"""Budgets hold by construction, and are filled."""

from dataclasses import replace
from itertools import product
from statistics import median
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nas_kd.costs.budgets import Budget, Counts, parse_budgets
from nas_kd.costs.counting import counted
from nas_kd.errors import BudgetTooSmall, CountsDisagree, UnknownName, Unusable
from nas_kd.students import FAMILIES, build
from nas_kd.students.decode import chosen, cost, counts, decode, fits, larger, smallest
from nas_kd.students.family import Family, StudentConfig, tapered

SHAPES = {"8x8x1": (1, 8, 8), "28x28x1": (1, 28, 28), "32x32x3": (3, 32, 32)}
EVERY = SHAPES | {"96x64x3": (3, 96, 64), "128x6": (6, 128), "30": (30,)}
COSTS_BY_UNIT = {"": 1_000, " macs": 100_000, "B": 10_000, "B ram": 20_000}
"""The least of three decades of budgets in each unit."""
Sample = dict[str, Any]
BUDGETS = ("1k", "5k", "20k", "100k")

REGISTERED = sorted(FAMILIES)
"""Families by name; those that other tests name by their place are none."""


def parameters(config: StudentConfig) -> int:
    """Counted on the real network."""
    return sum(p.numel() for p in build(config).parameters())


def full(family: str, depth: int, shape: str, budget: str) -> StudentConfig:
    """The student of width 1."""
    sample = {"family": family, "depth": depth, "width": 1.0, "taper": 1.2}
    return decode(sample, parse_budgets([budget]), SHAPES[shape], 10)


CASES = [
    (family, shape, budget)
    for family in sorted(FAMILIES)
    for shape in SHAPES
    for budget in BUDGETS
    if (family, shape, budget) != ("mlp", "32x32x3", "1k")  # 3,083 parameters at least
]


@pytest.mark.parametrize(("family", "shape", "budget"), CASES)
def test_at_width_one_the_next_larger_neighbour_does_not_fit(
    family: str, shape: str, budget: str
) -> None:
    bound = parse_budgets([budget])[0].bound
    for depth in (1, 2, 4, 6):
        config = full(family, depth, shape, budget)
        assert parameters(config) <= bound
        for neighbour in larger(config, 1):
            assert parameters(neighbour) > bound


@pytest.mark.parametrize("budget", ["20k", "100k"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_median_unused_share_is_under_two_percent(family: str, shape: str, budget: str) -> None:
    bound = parse_budgets([budget])[0].bound
    unused = [1 - parameters(full(family, depth, shape, budget)) / bound for depth in range(1, 7)]
    assert median(unused) < 0.02


@st.composite
def samples(draw: st.DrawFn) -> tuple[Sample, tuple[int, ...], list[str]]:
    """A sample of any family with its options, a shape that it takes, and one or two budgets."""
    family = draw(st.sampled_from(REGISTERED))
    part = FAMILIES[family]
    shapes = [shape for shape in EVERY.values() if len(shape) - 1 in part.sides]
    sample = {
        "family": family,
        "depth": draw(st.integers(1, 6)),
        "width": draw(st.floats(0.05, 1)),
        "taper": draw(st.floats(0.5, 2.5)),
    } | {name: draw(st.sampled_from(values)) for name, values in part.options.items()}
    units = draw(
        st.lists(st.sampled_from(list(COSTS_BY_UNIT)), min_size=1, max_size=2, unique=True)
    )
    if units == ["B ram"]:
        units = ["", "B ram"]
    texts = [f"{COSTS_BY_UNIT[unit] * 10 ** draw(st.integers(0, 2))}{unit}" for unit in units]
    return sample, draw(st.sampled_from(shapes)), texts


def check_sample(drawn: tuple[Sample, tuple[int, ...], list[str]]) -> None:
    """The student is within its budgets and is what the sample names, or none is that small."""
    sample, shape, texts = drawn
    budgets = parse_budgets(texts)
    try:
        config = decode(sample, budgets, shape, 10)
    except BudgetTooSmall:
        options = chosen(sample["family"], sample)
        least = smallest(sample["family"], sample["depth"], shape, 10, options=options)
        assert not fits(least, budgets)
        return
    assert fits(config, budgets)
    assert (config.family, config.depth) == (sample["family"], sample["depth"])
    assert len(config.channels) == FAMILIES[config.family].stages(config.depth)
    assert parameters(config) == cost(config, Budget("parameters", 1))
    if sample["width"] == 1:
        assert not any(fits(neighbour, budgets) for neighbour in larger(config, 1))


@settings(max_examples=150, deadline=None)
@given(samples())
def test_no_sample_is_over_any_budget_and_every_one_is_built_as_named(
    drawn: tuple[Sample, tuple[int, ...], list[str]],
) -> None:
    check_sample(drawn)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(samples())
def test_none_of_2000_samples_is_over_any_budget(
    drawn: tuple[Sample, tuple[int, ...], list[str]],
) -> None:
    check_sample(drawn)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_closed_form_is_what_the_network_counts(family: str) -> None:
    part = FAMILIES[family]
    for shape in (shape for shape in EVERY.values() if len(shape) - 1 in part.sides):
        for values in product(*part.options.values()):
            options = chosen(family, dict(zip(part.options, values, strict=True)))
            for depth, widths in ((1, (5,)), (3, (9, 5, 7)), (6, (4,) * 6), (5, (3, 5, 7, 9, 11))):
                channels = widths[: part.stages(depth)]
                config = StudentConfig(family, shape, 4, depth, channels, options=options)
                assert counts(config) == counted(build(config).eval(), shape), config


@pytest.mark.parametrize("family", FAMILIES)
def test_a_budget_of_very_wide_students_is_decoded_too(family: str) -> None:
    depth = min(FAMILIES[family].depths)
    sample = {"family": family, "depth": depth, "width": 1.0, "taper": 1.0}
    (budget,) = parse_budgets(["50M"])
    assert 0.99 * budget.bound < cost(decode(sample, [budget], (1, 8, 8), 10), budget)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_without_a_closed_form_is_counted_to_the_same_students(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES, f"counted {family}", replace(FAMILIES[family], counts=None))
    for texts in (["5k"], ["20k", "300k macs"]):
        sample = {"depth": 2, "width": 1.0, "taper": 1.3}
        mine, theirs = (
            decode(sample | {"family": name}, parse_budgets(texts), (1, 12, 12), 10)
            for name in (family, f"counted {family}")
        )
        assert mine.channels == theirs.channels


@pytest.mark.parametrize(
    ("sample", "texts"),
    [
        ({"family": "resnet", "taper": 1.00344, "width": 0.98591}, ["180k"]),
        ({"family": "mobilenet", "mobile": "inverted", "taper": 1.021, "width": 0.89},
         ["51200B ram", "1M"]),
    ],
)  # fmt: skip
def test_a_narrower_student_that_would_cost_more_is_within_the_budget_too(
    sample: Sample, texts: list[str]
) -> None:
    budgets = parse_budgets(texts)
    assert fits(decode(sample | {"depth": 2}, budgets, (1, 8, 8), 10), budgets)


def test_a_family_that_cannot_take_the_examples_is_refused() -> None:
    sample = {"family": "cnn", "depth": 1, "width": 1.0, "taper": 1.0}
    with pytest.raises(Unusable, match=r"not tables \[F\]\. Say --family mlp"):
        decode(sample, parse_budgets(["1k"]), (30,), 2)


def test_a_larger_width_never_costs_less() -> None:
    budgets = parse_budgets(["20k"])
    costs = [
        cost(decode({"family": "cnn", "depth": 4, "width": w / 50, "taper": 1.4}, budgets,
                    (1, 28, 28), 10), budgets[0])
        for w in range(1, 51)
    ]  # fmt: skip
    assert costs == sorted(costs)


def test_channels_are_multiples_where_asked() -> None:
    sample = {"family": "cnn", "depth": 3, "width": 1.0, "taper": 1.4}
    config = decode(sample, parse_budgets(["20k"]), (1, 28, 28), 10, multiple_of=8)
    assert all(width % 8 == 0 for width in config.channels)


def test_a_budget_too_small_names_the_smallest_student() -> None:
    sample = {"family": "mlp", "depth": 2, "width": 1.0, "taper": 1.0}
    with pytest.raises(BudgetTooSmall, match="mlp 3,095"):
        decode(sample, parse_budgets(["1k"]), (3, 32, 32), 10)


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'mlp'"):
        decode({"family": "mpl", "depth": 1, "width": 1, "taper": 1}, [], (1, 8, 8), 10)


def test_a_family_that_miscounts_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = FAMILIES["mlp"]

    def wrong(config: StudentConfig) -> Counts:
        size = honest.counts(config)
        return replace(size, parameters=size.parameters - 1)

    monkeypatch.setitem(FAMILIES, "liar", Family(honest.build, wrong, 2, 1.0))
    sample = {"family": "liar", "depth": 1, "width": 1.0, "taper": 1.0}
    with pytest.raises(CountsDisagree, match="liar"):
        decode(sample, [Budget("parameters", 5000)], (1, 8, 8), 10)


def test_tapered_widths_grow_by_the_taper_and_are_never_zero() -> None:
    assert tapered(4, 8, 2.0) == (8, 16, 32, 64)
    assert tapered(3, 0.01, 1.0, multiple_of=4) == (4, 4, 4)


@pytest.mark.parametrize("shape", EVERY.values())
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_one_logit_a_class(family: str, shape: tuple[int, ...]) -> None:
    part = FAMILIES[family]
    for depth in (1, 3, 6) if len(shape) - 1 in part.sides else ():
        config = StudentConfig(family, shape, 7, depth, (4,) * part.stages(depth))
        assert build(config)(torch.randn(2, *shape)).shape == (2, 7)
        assert StudentConfig.from_json(config.to_json()) == config


def test_a_family_that_ignores_its_widths_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(config: StudentConfig) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    monkeypatch.setitem(FAMILIES, "same", Family(build))
    sample = {"family": "same", "depth": 1, "width": 1.0, "taper": 1.0}
    with pytest.raises(Unusable, match="is within the budget at any width"):
        decode(sample, parse_budgets(["2k"]), (1, 8, 8), 10)
