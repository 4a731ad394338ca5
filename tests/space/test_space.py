"""The search space: flat, static, and fitting by construction."""

from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from nas_kd.costs.budgets import parse_budgets
from nas_kd.errors import BudgetTooSmall, Unusable
from nas_kd.space.first import first_samples
from nas_kd.space.resolve import resolve
from nas_kd.space.sample import complete, distributions
from nas_kd.space.space import Space
from nas_kd.students.decode import fits
from tests.conftest import tiny


def space(shape: tuple[int, ...] = (1, 28, 28), classes: int = 10, **settings: Any) -> Space:
    spec = tiny(depth=settings.pop("depth", [1, 6]), **settings)
    return resolve(spec, parse_budgets(spec.budget), shape, classes)


def test_what_is_searched_has_the_names_that_the_dashboard_shows() -> None:
    asked = distributions(space(budget="20k"))
    assert list(asked) == [
        "family", "depth", "width", "taper", "temperature", "alpha", "learning_rate",
    ]  # fmt: skip
    assert asked["family"] == CategoricalDistribution(("cnn", "mlp"))
    assert asked["depth"] == IntDistribution(1, 6)
    assert asked["width"] == FloatDistribution(0.2, 1.0, log=True)
    assert asked["alpha"] == FloatDistribution(0, 1, step=0.05)


def test_what_is_fixed_is_not_asked_and_is_in_every_sample() -> None:
    here = space(budget="20k", depth=3, temperature=2.0, family="cnn")
    assert not {"depth", "temperature", "family"} & set(distributions(here))
    sample = complete(here, {"width": 0.5, "taper": 1.0, "alpha": 0.5, "learning_rate": 0.01})
    assert (sample["depth"], sample["temperature"], sample["family"]) == (3, 2.0, "cnn")


def test_several_knowledge_terms_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    from nas_kd.knowledge import KNOWLEDGE

    monkeypatch.setitem(KNOWLEDGE, "other", KNOWLEDGE["kl"])
    asked = distributions(space(budget="20k", knowledge=["kl", "other"]))
    assert asked["knowledge"] == CategoricalDistribution(("kl", "other"))


def test_depth_is_cut_to_what_every_family_can_build() -> None:
    here = space(budget="860", classes=10)
    assert here.families == ("cnn", "mlp")
    assert here.depth == (1, 6)
    tight = space(budget="150", shape=(1, 8, 8), family=["cnn", "mlp"])
    assert tight.depth[1] < 16
    for family in tight.families:
        for depth in range(tight.depth[0], tight.depth[1] + 1):
            sample = {"family": family, "depth": depth, "width": 1.0, "taper": 1.0}
            assert fits(tight.student(sample), tight.budgets)


def test_a_family_that_cannot_be_two_deep_is_left_out_and_says_why() -> None:
    here = space(budget="1k", shape=(3, 32, 32))
    assert here.families == ("cnn",)
    (left,) = here.left_out
    assert left[0] == "mlp"
    assert left[1] == "none of its students is within 1,000 parameters"


def test_a_budget_that_no_family_meets_names_the_smallest_of_each() -> None:
    with pytest.raises(BudgetTooSmall, match=r"cnn .* mlp 3,093"):
        space(budget="30", shape=(3, 32, 32))


def test_the_first_trials_are_the_default_students_with_and_without_the_teacher() -> None:
    here = space(budget="20k")
    samples = first_samples(here)
    assert [(s["family"], s["alpha"]) for s in samples] == [
        ("cnn", 0.9), ("cnn", 0.0), ("mlp", 0.9), ("mlp", 0.0),
    ]  # fmt: skip
    assert all(s["width"] == 1.0 for s in samples)
    assert [s["temperature"] for s in samples] == [4.0, 1.0, 4.0, 1.0]


def test_defaults_stay_within_the_ranges_asked_for() -> None:
    here = space(budget="20k", temperature=[6.0, 9.0], alpha=[0.2, 0.5], depth=[1, 2])
    samples = first_samples(here)
    assert [(s["temperature"], s["alpha"], s["depth"]) for s in samples] == [(6.0, 0.5, 2)] * 2


def test_settings_that_cannot_matter_have_one_value() -> None:
    here = space(budget="20k")
    asked = {"family": "cnn", "depth": 1, "width": 0.5, "taper": 1.7, "temperature": 9.0,
             "alpha": 0.0, "learning_rate": 0.01}  # fmt: skip
    sample = complete(here, asked)
    assert (sample["temperature"], sample["taper"]) == (1.0, 1.0)
    assert complete(here, sample) == sample


def test_options_are_searched_and_canonical_for_families_without_them() -> None:
    here = space(budget="20k", family=["mobilenet", "cnn"], squeeze_excite=[False, True])
    asked = distributions(here)
    assert asked["squeeze_excite"] == CategoricalDistribution((False, True))
    assert asked["mobile"] == CategoricalDistribution(("separable", "inverted"))
    drawn = {"depth": 2, "width": 1.0, "taper": 1.0, "squeeze_excite": True, "mobile": "inverted"}
    usual = complete(here, drawn | {"family": "cnn"})
    assert (usual["squeeze_excite"], usual["mobile"]) == (False, "separable")
    sample = complete(here, drawn | {"family": "mobilenet"})
    assert here.student(sample).options == {"mobile": "inverted", "squeeze_excite": True}


def fits_deeper(here: Space, sample: dict[str, Any]) -> bool:
    try:
        here.student(sample)
    except BudgetTooSmall:
        return False
    return True


def test_depth_is_cut_to_what_fits_with_every_option() -> None:
    here = space(budget="500", family="resnet", block=["basic", "bottleneck"], depth=[1, 16])
    for options in here.variants("resnet"):
        assert fits(here.smallest("resnet", here.depth[1], options), here.budgets)
    deeper = {"depth": here.depth[1] + 1, "width": 1.0, "taper": 1.0, "family": "resnet"}
    assert here.depth[1] < 16
    assert not all(fits_deeper(here, deeper | options) for options in here.variants("resnet"))


def test_a_table_leaves_out_families_that_take_none() -> None:
    here = space(shape=(12,), classes=3, budget="2k")
    assert here.families == ("mlp",)
    assert here.left_out == (("cnn", "it takes no tables"),)
    with pytest.raises(Unusable, match="Say --family mlp"):
        space(shape=(12,), classes=3, budget="2k", family="cnn")
