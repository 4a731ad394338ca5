"""DIST: the student's answers have to correlate with the teacher's, over classes and over examples.

Huang, You, Wang, Qian, Xu 2022, "Knowledge Distillation from A Stronger Teacher",
https://arxiv.org/abs/2205.10536: its relations between and within classes.

Suffixes: B examples, C classes. Leading dimensions broadcast.
"""

from torch import Tensor

from nas_kd.knowledge.term import Knowledge, Temperature, log_softmax, per_example

LEAST_LENGTH = 1e-8


def dist(student_BC: Tensor, teacher_BC: Tensor, temperature: Temperature) -> Tensor:
    """T^2 (1 - r over the classes of an example + 1 - the mean r over the examples of a class),
    [B], where r is Pearson's correlation of probabilities at T.

    The second part is one number for a batch, added to each of its examples: it couples them. At a
    high T correlations no longer depend on T, so this gradient grows as T^2: alpha means less at a
    low T than at a high one.
    """
    student_BC, teacher_BC = (
        log_softmax(logits_BC / temperature).exp() for logits_BC in (student_BC, teacher_BC)
    )
    between_B = 1 - correlation(student_BC, teacher_BC, -1)
    within_B = (1 - correlation(student_BC, teacher_BC, -2)).mean(-1, keepdim=True)
    return per_example(temperature) ** 2 * (between_B + within_B)


def correlation(one_BC: Tensor, other_BC: Tensor, dim: int) -> Tensor:
    """Pearson's correlation over a dimension; 0 where one of them is constant."""
    one_BC, other_BC = (x - x.mean(dim, keepdim=True) for x in (one_BC, other_BC))
    length_B, other_length_B = (x.norm(dim=dim).clamp_min(LEAST_LENGTH) for x in (one_BC, other_BC))
    found_B: Tensor = (one_BC * other_BC).sum(dim) / (length_B * other_length_B)
    return found_B


DIST = Knowledge(loss=dist)
