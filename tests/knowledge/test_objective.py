"""The one loss convention."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nas_kd.knowledge.objective import UNLABELLED, additive_weight, hard, mixed
from nas_kd.knowledge.response import kl


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Student's and teacher's logits and labels, float64."""
    student_BC = torch.randn(12, 7, dtype=torch.float64, requires_grad=True)
    teacher_BC = 3 * torch.randn(12, 7, dtype=torch.float64)
    return student_BC, teacher_BC, torch.randint(0, 7, (12,))


def gradient(loss: Tensor, leaf: Tensor) -> Tensor:
    return torch.autograd.grad(loss, leaf)[0]


@pytest.mark.parametrize("temperature", [1.0, 4.0, 15.0])
@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_the_additive_form_gives_our_gradient_divided_by_one_minus_alpha(
    batch: tuple[Tensor, Tensor, Tensor], alpha: float, temperature: float
) -> None:
    student_BC, teacher_BC, label_B = batch
    a = additive_weight(alpha, temperature)

    hard = functional.cross_entropy(student_BC, label_B)
    soft_targets = functional.softmax(teacher_BC / temperature, dim=1)
    soft = -(soft_targets * functional.log_softmax(student_BC / temperature, dim=1)).sum(1).mean()
    additive = hard + a * soft

    soft_B = kl(student_BC, teacher_BC, temperature)
    ours = mixed(student_BC, label_B, soft_B, alpha).mean()
    torch.testing.assert_close(
        gradient(additive, student_BC),
        gradient(ours, student_BC) / (1 - alpha),
        rtol=1e-12,
        atol=1e-12,
    )


def test_alpha_zero_is_plain_cross_entropy(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    student_BC, teacher_BC, label_B = batch
    expected = functional.cross_entropy(student_BC, label_B, reduction="none")
    torch.testing.assert_close(
        mixed(student_BC, label_B, kl(student_BC, teacher_BC, 4.0), 0.0), expected
    )
    torch.testing.assert_close(mixed(student_BC, label_B, None, 0.0), expected)


def test_alpha_one_ignores_the_labels(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    student_BC, teacher_BC, label_B = batch
    one = mixed(student_BC, label_B, kl(student_BC, teacher_BC, 4.0), 1.0)
    other = mixed(student_BC, (label_B + 1) % 7, kl(student_BC, teacher_BC, 4.0), 1.0)
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(one, kl(student_BC, teacher_BC, 4.0))


def test_an_unlabelled_example_has_the_soft_summand_only(
    batch: tuple[Tensor, Tensor, Tensor],
) -> None:
    student_BC, teacher_BC, label_B = batch
    label_B = label_B.clone()
    label_B[3] = UNLABELLED
    loss_B = mixed(student_BC, label_B, kl(student_BC, teacher_BC, 4.0), 0.7)
    torch.testing.assert_close(loss_B[3], 0.7 * kl(student_BC, teacher_BC, 4.0)[3])


def test_a_cohort_has_the_losses_of_its_members() -> None:
    student_GBC = torch.randn(2, 6, 5, dtype=torch.float64)
    teacher_BC, label_B = torch.randn(6, 5, dtype=torch.float64), torch.randint(0, 5, (6,))
    temperature, alpha = torch.tensor([2.0, 8.0]).double(), torch.tensor([0.3, 0.9]).double()
    soft_GB = kl(student_GBC, teacher_BC, temperature[:, None, None])
    together = mixed(student_GBC, label_B, soft_GB, alpha[:, None])
    for g in range(2):
        soft_B = kl(student_GBC[g], teacher_BC, float(temperature[g]))
        alone = mixed(student_GBC[g], label_B, soft_B, float(alpha[g]))
        torch.testing.assert_close(together[g], alone)


def test_the_student_gets_a_gradient_from_the_soft_term(
    batch: tuple[Tensor, Tensor, Tensor],
) -> None:
    student_BC, teacher_BC, label_B = batch
    with_teacher = gradient(
        mixed(student_BC, label_B, kl(student_BC, teacher_BC, 4.0), 0.5).sum(), student_BC
    )
    alone = gradient(mixed(student_BC, label_B, None, 0.5).sum(), student_BC)
    assert (with_teacher - alone).norm() > 0.1


def test_without_labels_the_additive_form_has_no_weight() -> None:
    assert additive_weight(1.0, 4.0) == torch.inf
    assert additive_weight(0.5, 4.0) == 16.0


def test_class_weights_weigh_the_labels_and_not_the_teacher() -> None:
    student_BC, teacher_BC = torch.randn(6, 7), torch.randn(6, 7)
    label_B = torch.tensor([0, 1, 2, 3, 4, -1])
    weight_C = torch.arange(7).float()
    for alpha in (0.0, 0.3, 1.0):
        plain, weighed = (
            mixed(student_BC, label_B, kl(student_BC, teacher_BC, 4.0), alpha, weights)
            for weights in (None, weight_C)
        )
        expected = (1 - alpha) * (weight_C[label_B.clamp(min=0)] - 1) * hard(student_BC, label_B)
        torch.testing.assert_close(weighed - plain, expected, atol=1e-5, rtol=1e-4)
