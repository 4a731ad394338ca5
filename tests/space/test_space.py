"""The search space: flat, static, and fitting by construction."""

from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from torch import Tensor, nn

from nas_kd.costs.budgets import parse_budgets
from nas_kd.errors import BudgetTooSmall, InvalidSpec, Unusable
from nas_kd.space.first import first_samples
from nas_kd.space.resolve import resolve
from nas_kd.space.sample import complete, distributions
from nas_kd.space.space import Space
from nas_kd.students.decode import cost, counts, fits
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


def test_a_budget_of_bytes_or_memory_has_students_of_8_bits() -> None:
    for budget, bits in (("20k", 32), ("20kB", 8), (["20k", "9kB ram"], 8)):
        here = space(budget=budget)
        sample = first_samples(here)[0]
        assert here.values("bits") == (bits,)
        assert here.student(sample).bits == sample["bits"] == bits
    assert space(budget="20kB", bits=32).values("bits") == (32,)
    assert space(budget="20k", bits=8).values("bits") == (8,)


def test_both_bits_are_searched_and_each_fits() -> None:
    here = space(budget="20kB", bits=[8, 32])
    assert distributions(here)["bits"] == CategoricalDistribution((8, 32))
    for bits in (8, 32):
        student = here.student(first_samples(here)[0] | {"bits": bits})
        assert student.bits == bits
        assert fits(student, here.budgets)
        assert cost(student, here.budgets[0]) > 19_000
    assert "bits" not in distributions(space(budget="20kB"))


def test_more_than_three_times_the_parameters_fit_in_8_bits() -> None:
    fewer, more = (
        counts(here.student(first_samples(here)[0])).parameters
        for here in (space(budget="3kB", bits=bits, family="cnn") for bits in (32, 8))
    )
    assert more > 3 * fewer


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"bits": [8, 32]}, "both are searched under a budget of bytes or RAM: add such a budget"),
        ({"bits": [8, 8], "budget": "20kB"}, "names one number twice"),
        ({"bits": 4}, "bits"),
        ({"qat": True}, "qat: trains students of 8 bits, and these have 32"),
        ({"qat": True, "bits": 8, "knowledge": "fitnet"}, "and fitnet sees layers"),
        ({"qat": True, "bits": 8, "scheme": "online"}, "and the scheme is online"),
    ],
)
def test_bits_that_cannot_be_are_named(settings: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidSpec, match=wrong):
        tiny(**{"budget": "20k", **settings})


class Normed(nn.Module):
    """A network that has no 8-bit form."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 9), nn.LayerNorm(9), nn.Linear(9, 10)
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits


def test_a_family_without_an_8_bit_form_is_named_before_anything_is_trained() -> None:
    name = f"{__name__}:Normed"
    assert space(budget="20kB", bits=32, family=name, depth=1)
    with pytest.raises(Unusable, match=rf"{name}.*'layers.2' \(LayerNorm\).*--fix bits=32"):
        space(budget="20kB", family=name, depth=1)
