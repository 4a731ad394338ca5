"""The soft term, in float64, against what it must be."""

import pytest
import torch
from torch import Tensor

from nas_kd.knowledge.response import kl

TEACHER_BC = torch.tensor([[4.0, 1.0, -2.0], [0.5, 0.0, 3.0]], dtype=torch.float64)
STUDENT_BC = torch.tensor([[1.0, 2.0, 0.0], [-1.0, 0.3, 0.7]], dtype=torch.float64)


def gradient(student_BC: Tensor, teacher_BC: Tensor, temperature: float) -> Tensor:
    """Of the soft term alone."""
    leaf = student_BC.clone().requires_grad_()
    kl(leaf, teacher_BC, temperature).sum().backward()
    assert leaf.grad is not None
    return leaf.grad


def by_hand(student: list[float], teacher: list[float], temperature: float) -> float:
    """T^2 KL(teacher || student) of one example, with plain numbers."""
    from math import exp, log

    def softened(logits: list[float]) -> list[float]:
        powers = [exp(value / temperature) for value in logits]
        return [power / sum(powers) for power in powers]

    pairs = zip(softened(teacher), softened(student), strict=True)
    return temperature**2 * sum(t * log(t / s) for t, s in pairs)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_the_term_is_the_sum_over_classes_written_by_hand(temperature: float) -> None:
    expected = [
        by_hand(s, t, temperature)
        for s, t in zip(STUDENT_BC.tolist(), TEACHER_BC.tolist(), strict=True)
    ]
    found = kl(STUDENT_BC, TEACHER_BC, temperature)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0, 1000.0])
def test_a_student_that_equals_its_teacher_is_left_alone(temperature: float) -> None:
    zero = torch.zeros(2, 3, dtype=torch.float64)
    found = gradient(TEACHER_BC, TEACHER_BC, temperature)
    torch.testing.assert_close(found, zero, atol=1e-12, rtol=0)
    assert kl(TEACHER_BC, TEACHER_BC, temperature).abs().max() < 1e-9


def test_the_gradient_keeps_its_size_from_temperature_10_to_20() -> None:
    teacher_BC = torch.randn(64, 10, dtype=torch.float64) * 4
    student_BC = torch.randn(64, 10, dtype=torch.float64)
    sizes = [gradient(student_BC, teacher_BC, t).norm() for t in (10.0, 14.0, 20.0)]
    for size in sizes[1:]:
        torch.testing.assert_close(size, sizes[0], rtol=0.05, atol=0)


def test_at_a_high_temperature_the_gradient_is_that_of_half_the_mse_of_centred_logits() -> None:
    teacher_BC = torch.randn(16, 10, dtype=torch.float64)
    student_BC = torch.randn(16, 10, dtype=torch.float64, requires_grad=True)
    centred_BC = student_BC - student_BC.mean(-1, keepdim=True)
    target_BC = teacher_BC - teacher_BC.mean(-1, keepdim=True)
    (0.5 * ((centred_BC - target_BC) ** 2).mean(-1)).sum().backward()
    assert student_BC.grad is not None
    found = gradient(student_BC.detach(), teacher_BC, 1000.0)
    assert (found - student_BC.grad).norm() / student_BC.grad.norm() < 1e-3


def test_a_low_temperature_hardly_sees_the_smallest_logit() -> None:
    teacher_BC = torch.linspace(0, 9, 10, dtype=torch.float64)[None]
    student_BC = teacher_BC * 0.8
    moved_BC = student_BC.clone()
    moved_BC[0, 0] -= 1

    def change(temperature: float) -> float:
        before = kl(student_BC, teacher_BC, temperature)
        return float((kl(moved_BC, teacher_BC, temperature) - before).abs())

    assert change(0.5) < change(10.0) / 100


def test_a_temperature_each_serves_a_cohort_as_it_serves_one() -> None:
    student_GBC = torch.randn(3, 5, 4, dtype=torch.float64)
    teacher_BC = torch.randn(5, 4, dtype=torch.float64)
    temperature_G = torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)
    together = kl(student_GBC, teacher_BC, temperature_G[:, None, None])
    alone = [kl(s, teacher_BC, float(t)) for s, t in zip(student_GBC, temperature_G, strict=True)]
    torch.testing.assert_close(together, torch.stack(alone))
