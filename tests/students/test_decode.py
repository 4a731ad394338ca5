"""Budgets hold by construction, and are filled."""

from statistics import median

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_kd.costs import Budget, Counts, parse_budgets
from nas_kd.errors import BudgetTooSmall, CountsDisagree, UnknownName
from nas_kd.students import FAMILIES, build
from nas_kd.students.decode import cost, decode, fits, larger
from nas_kd.students.family import Family, StudentConfig, tapered

SHAPES = {"8x8x1": (1, 8, 8), "28x28x1": (1, 28, 28), "32x32x3": (3, 32, 32)}
BUDGETS = ("1k", "5k", "20k", "100k")


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


@settings(max_examples=200, deadline=None)
@given(
    family=st.sampled_from(sorted(FAMILIES)),
    shape=st.sampled_from(sorted(SHAPES)),
    depth=st.integers(1, 6),
    width=st.floats(0.05, 1),
    taper=st.floats(0.5, 2.5),
    texts=st.sampled_from([["5k"], ["20k"], ["400kB"], ["300k macs"], ["20k", "500k macs"]]),
)
def test_no_sample_is_over_any_budget_and_every_one_is_built_as_named(
    family: str, shape: str, depth: int, width: float, taper: float, texts: list[str]
) -> None:
    budgets = parse_budgets(texts)
    sample = {"family": family, "depth": depth, "width": width, "taper": taper}
    config = decode(sample, budgets, SHAPES[shape], 10)
    assert fits(config, budgets)
    assert (config.family, config.depth) == (family, depth)
    assert len(config.channels) == FAMILIES[family].stages(depth)
    if budgets[0].cost == "parameters":
        assert parameters(config) == cost(config, budgets[0])


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
    with pytest.raises(BudgetTooSmall, match="mlp 3095"):
        decode(sample, parse_budgets(["1k"]), (3, 32, 32), 10)


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'mlp'"):
        decode({"family": "mpl", "depth": 1, "width": 1, "taper": 1}, [], (1, 8, 8), 10)


def test_a_family_that_miscounts_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = FAMILIES["mlp"]

    def wrong(config: StudentConfig) -> Counts:
        size = honest.counts(config)
        return Counts(size.parameters - 1, size.macs, size.weights, size.biases)

    monkeypatch.setitem(FAMILIES, "liar", Family(honest.build, wrong, 2, 1.0))
    sample = {"family": "liar", "depth": 1, "width": 1.0, "taper": 1.0}
    with pytest.raises(CountsDisagree, match="liar"):
        decode(sample, [Budget("parameters", 5000)], (1, 8, 8), 10)


def test_tapered_widths_grow_by_the_taper_and_are_never_zero() -> None:
    assert tapered(4, 8, 2.0) == (8, 16, 32, 64)
    assert tapered(3, 0.01, 1.0, multiple_of=4) == (4, 4, 4)


@pytest.mark.parametrize("shape", SHAPES.values())
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_one_logit_a_class(family: str, shape: tuple[int, ...]) -> None:
    for depth in (1, 3, 6):
        config = StudentConfig(family, shape, 7, depth, (4,) * depth)
        assert build(config)(torch.randn(2, *shape)).shape == (2, 7)
        assert StudentConfig.from_json(config.to_json()) == config
