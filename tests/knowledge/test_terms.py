"""Every knowledge term: what each must be, whichever it is, and as its paper writes it."""

from typing import Any

import pytest
import torch
from torch import Tensor

from nas_kd.errors import UnknownName, Unusable
from nas_kd.knowledge import KNOWLEDGE, Knowledge, Outputs, mixture
from nas_kd.knowledge.mixture import written
from nas_kd.knowledge.relation import distances
from nas_kd.spec.settings import SETTINGS
from tests.knowledge import references

B, CLASSES, CHANNELS, SIDE = 6, 5, 3, 4
LABELS = torch.tensor([0, 4, 2, 1, -1, 3])
COUPLED = {"dist", "rkd", "similarity"}
"""Terms that compare the examples of a batch with each other."""

LAYERS = {"attention": 3, "fsp": 2}
"""How many layers a term is given here, where it is not one."""

BUILT_IN = [name for name, term in KNOWLEDGE.items() if term.loss.__module__.startswith("nas_kd.")]


def answers(name: str, seed: int) -> Any:
    """Logits, or what layers give, float64, for a term."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    if KNOWLEDGE[name].layers is None:
        return 2 * drawn(B, CLASSES)
    return tuple(drawn(B, CHANNELS, SIDE, SIDE) for _ in range(LAYERS.get(name, 1)))


def kept(term: Knowledge, given: Any) -> Any:
    """What of the teacher's answers the term is given."""
    return term.keep(given) if term.layers else given


def others(term: Knowledge, rows: slice = slice(None)) -> dict[str, Any]:
    """The keywords of a term."""
    read: dict[str, Any] = {name: SETTINGS[name].default for name in term.settings}
    return read | ({"label_B": LABELS[rows]} if term.labels else {})


def value(name: str, student: Any, teacher: Any, rows: slice = slice(None)) -> Tensor:
    """The term of these answers, at T = 3."""
    term = KNOWLEDGE[name]
    tempered = (3.0,) if term.tempered else ()
    return term.loss(student, kept(term, teacher), *tempered, **others(term, rows))


def leaves(given: Any) -> list[Tensor]:
    return [given] if isinstance(given, Tensor) else list(given)


def changed(given: Any, change: Any) -> Any:
    return change(given) if isinstance(given, Tensor) else tuple(map(change, given))


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_term_is_what_its_paper_writes(name: str) -> None:
    term, student, teacher = KNOWLEDGE[name], answers(name, 1), answers(name, 2)
    numbers = [[part.numpy() for part in leaves(given)] for given in (student, teacher)]
    if term.layers is None:
        numbers = [given[0] for given in numbers]
    more = [3.0] * term.tempered + ([LABELS.numpy(), 1.0, 2.0] if name == "dkd" else [])
    expected = torch.tensor(getattr(references, name)(*numbers, *more), dtype=torch.float64)
    torch.testing.assert_close(value(name, student, teacher), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", KNOWLEDGE)
def test_a_student_that_equals_its_teacher_is_left_alone(name: str) -> None:
    teacher = answers(name, 1)
    student = changed(teacher, lambda part: part.clone().requires_grad_())
    found = value(name, student, teacher)
    assert found.shape == (B,)
    assert found.abs().max() < 1e-9
    found.sum().backward()
    for part in leaves(student):
        torch.testing.assert_close(part.grad, torch.zeros_like(part), atol=1e-7, rtol=0)


@pytest.mark.parametrize("name", KNOWLEDGE)
def test_a_step_down_the_gradient_brings_a_student_nearer(name: str) -> None:
    teacher = answers(name, 1)
    student = changed(answers(name, 2), lambda part: part.clone().requires_grad_())
    before = value(name, student, teacher).mean()
    slopes = torch.autograd.grad(before, leaves(student))
    length = sum(float(slope.square().sum()) for slope in slopes)
    assert length > 0
    moved = [part.detach() - 1e-3 / length**0.5 * slope
             for part, slope in zip(leaves(student), slopes, strict=True)]  # fmt: skip
    after = value(name, moved[0] if isinstance(student, Tensor) else tuple(moved), teacher)
    assert float(after.detach().mean()) < float(before.detach())


@pytest.mark.parametrize("name", sorted({*KNOWLEDGE} - COUPLED))
def test_a_term_is_the_same_however_the_batch_is_split(name: str) -> None:
    student, teacher = answers(name, 1), answers(name, 2)
    whole = value(name, student, teacher)
    parts = []
    for rows in (slice(0, 1), slice(1, 4), slice(4, B)):
        ours, theirs = (changed(given, lambda part: part[rows]) for given in (student, teacher))  # noqa: B023
        parts.append(value(name, ours, theirs, rows))
    torch.testing.assert_close(whole, torch.cat(parts))


@pytest.mark.parametrize("name", sorted(COUPLED))
def test_a_coupled_term_does_not_depend_on_the_order_of_the_batch(name: str) -> None:
    student, teacher = answers(name, 1), answers(name, 2)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    moved = value(name, *(changed(given, lambda part: part[order]) for given in (student, teacher)))
    torch.testing.assert_close(moved, value(name, student, teacher)[order])


@pytest.mark.parametrize("name", KNOWLEDGE)
def test_a_term_hides_no_nan(name: str) -> None:
    student = answers(name, 1)
    leaves(student)[0][2, 0] = torch.nan
    assert not value(name, student, answers(name, 2))[2].isfinite()


@pytest.mark.parametrize("name", [name for name in KNOWLEDGE if not KNOWLEDGE[name].layers])
def test_a_term_of_answers_is_finite_for_large_logits_and_serves_a_cohort(name: str) -> None:
    term = KNOWLEDGE[name]
    student_GBC = 100 * torch.randn(3, B, CLASSES, dtype=torch.float64)
    teacher_BC = 100 * torch.randn(B, CLASSES, dtype=torch.float64)
    temperature_G11 = torch.tensor([1.0, 4.0, 9.0]).double()[:, None, None]
    more = {
        name: one if name == "label_B" else torch.full((3, 1, 1), one, dtype=torch.float64)
        for name, one in others(term).items()
    }
    tempered = (temperature_G11,) if term.tempered else ()
    together = term.loss(student_GBC, teacher_BC, *tempered, **more)
    assert together.isfinite().all()
    for number, student_BC in enumerate(student_GBC):
        one = (float(temperature_G11[number]),) if term.tempered else ()
        alone = term.loss(student_BC, teacher_BC, *one, **others(term))
        torch.testing.assert_close(together[number], alone)


@pytest.mark.parametrize("name", [n for n in KNOWLEDGE if KNOWLEDGE[n].tempered])
def test_the_gradient_keeps_its_size_from_temperature_10_to_20(name: str) -> None:
    term = KNOWLEDGE[name]
    teacher_BC, sizes = 3 * torch.randn(B, CLASSES, dtype=torch.float64), []
    for temperature in (10.0, 20.0):
        student_BC = torch.randn(
            B, CLASSES, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
        ).requires_grad_()
        term.loss(student_BC, teacher_BC, temperature, **others(term)).sum().backward()
        assert student_BC.grad is not None
        sizes.append(float(student_BC.grad.norm()))
    grows = {"dist": 4.0}.get(name, 1.0)  # correlations have no 1 / T^2 to be made up for
    assert 0.8 * grows < sizes[1] / sizes[0] < 1.25 * grows


def test_features_of_other_sides_are_compared_at_the_smaller_sides() -> None:
    small = torch.randn(B, CHANNELS, 2, 2, dtype=torch.float64)
    large = small.repeat_interleave(2, -1).repeat_interleave(2, -2)
    for student, teacher in ((small, large), (large, small), (large.mean((2, 3)), small)):
        assert float(KNOWLEDGE["fitnet"].loss((student,), (teacher,)).abs().max()) < 1e-12


def test_distances_are_sure_far_from_the_origin() -> None:
    generator = torch.Generator().manual_seed(0)
    near = 0.01 * torch.randn(8, 20, generator=generator, dtype=torch.float64)
    exact = distances(near)
    found = distances((near + 10).float())
    torch.testing.assert_close(found.double(), exact, rtol=1e-3, atol=1e-3)


def test_dkd_with_the_weights_of_kl_is_kl() -> None:
    student_BC, teacher_BC = answers("kl", 1), answers("kl", 2)
    label_B = LABELS.clamp(min=0)
    share_B = 1 - (teacher_BC / 3.0).softmax(-1).gather(-1, label_B[:, None])[:, 0]
    parts = [
        KNOWLEDGE["dkd"].loss(student_BC, teacher_BC, 3.0, label_B=label_B, target_weight=target,
                              other_weight=other)
        for target, other in ((1.0, 0.0), (0.0, 1.0))
    ]  # fmt: skip
    whole = parts[0] + share_B * parts[1]
    torch.testing.assert_close(whole, KNOWLEDGE["kl"].loss(student_BC, teacher_BC, 3.0))


def test_a_mixture_is_the_weighted_sum_of_its_terms() -> None:
    student, teacher = answers("kl", 1), answers("kl", 2)
    features = {"rkd": answers("rkd", 1)}, {"rkd": kept(KNOWLEDGE["rkd"], answers("rkd", 2))}
    found = mixture("kl + 0.5 rkd").loss(
        Outputs(student, features[0]), Outputs(teacher, features[1]), LABELS, {"temperature": 3.0}
    )
    expected = value("kl", student, teacher)
    expected += 0.5 * KNOWLEDGE["rkd"].weight * value("rkd", answers("rkd", 1), answers("rkd", 2))
    torch.testing.assert_close(found, expected)


def test_a_mixture_is_written_in_one_way() -> None:
    assert written("kl+0.50 rkd") == written("kl + .5 * rkd") == "kl + 0.5 rkd"
    assert written("1 kl") == "kl"
    for text in ("1000000 kl", "0.123456789 kl + 0.00001 rkd", "kl + 0.5*rkd", "2.5* kl"):
        assert written(written(text)) == written(text)
        assert [f for _, f, _ in mixture(written(text)).terms] == [
            f for _, f, _ in mixture(text).terms
        ]


def test_a_mixture_knows_what_its_terms_need() -> None:
    assert mixture("kl + 0.5 rkd").most_alpha == 1.0
    assert mixture("fitnet + rkd").most_alpha == 0.95
    assert [*mixture("kl + fitnet").of_layers] == ["fitnet"]
    assert not mixture("logit_mse + fitnet").tempered
    assert mixture("dkd + rkd").settings == ("target_weight", "other_weight")


@pytest.mark.parametrize(
    "text", ["", "kl +", "0 kl", "-1 kl", "kl kl", "kl + kl", "1e3 kl", "1.2.3 kl", "kl/rkd"]
)
def test_what_is_no_mixture_is_said(text: str) -> None:
    with pytest.raises(Unusable, match="knowledge"):
        mixture(text)


def test_an_unknown_term_of_a_mixture_is_named() -> None:
    with pytest.raises(UnknownName, match=r"'rdk'.*rkd"):
        mixture("kl + rdk")


@pytest.mark.parametrize(
    "reduced",
    [
        lambda student, teacher: (student - teacher).mean(),
        lambda student, teacher: (student - teacher).mean(0),
        lambda student, teacher: (student[:, None] - teacher).mean(-1),
    ],
)
def test_a_term_that_does_not_give_one_value_an_example_is_named(
    reduced: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KNOWLEDGE, "wrong", Knowledge(reduced, tempered=False))
    given = Outputs(torch.randn(12, 7))
    with pytest.raises(Unusable, match=r"term 'wrong'.*one value an example"):
        mixture("wrong").loss(given, given, LABELS, {})
