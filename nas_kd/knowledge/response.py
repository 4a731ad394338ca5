"""Response knowledge: the student imitates the teacher's answers.

Suffixes: B examples, C classes. Leading dimensions broadcast.
"""

from torch import Tensor

from nas_kd.knowledge.term import Knowledge, Temperature, divergence, log_softmax, per_example


def kl(student_BC: Tensor, teacher_BC: Tensor, temperature: Temperature) -> Tensor:
    """T^2 KL(softmax(teacher / T) || softmax(student / T)), [B], of logits.

    Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network", section 2,
    https://arxiv.org/abs/1503.02531. Summed over classes, one value an example, not less than zero
    up to rounding. The factor T^2 keeps the gradient from falling as 1 / T^2, so that alpha means
    the same at each temperature. At a high T this is half the squared distance of centred logits,
    divided by C.
    """
    log_teacher_BC = log_softmax(teacher_BC / temperature)
    log_student_BC = log_softmax(student_BC / temperature)
    return per_example(temperature) ** 2 * divergence(log_student_BC, log_teacher_BC)


def kl_standardized(student_BC: Tensor, teacher_BC: Tensor, temperature: Temperature) -> Tensor:
    """`kl` of logits that were brought to mean 0 and deviation 1 over the classes, [B].

    Sun, Ren, Li, Wang, Cao 2024, "Logit Standardization in Knowledge Distillation",
    algorithms 1 and 2, https://arxiv.org/abs/2403.01427: so a small student need not match how
    large the teacher's logits are, only how they stand to each other.
    """
    return kl(standardized(student_BC), standardized(teacher_BC), temperature)


LEAST_DEVIATION = 1e-7


def standardized(logits_BC: Tensor) -> Tensor:
    """Logits minus their mean, divided by their deviation."""
    deviation_B1 = logits_BC.std(-1, keepdim=True)
    return (logits_BC - logits_BC.mean(-1, keepdim=True)) / (deviation_B1 + LEAST_DEVIATION)


def logit_mse(student_BC: Tensor, teacher_BC: Tensor) -> Tensor:
    """Half the mean over classes of the squared difference of logits, [B].

    Ba, Caruana 2014, "Do Deep Nets Really Need to be Deep?", equation 1,
    https://arxiv.org/abs/1312.6184, divided by C: what `kl` comes to at a high T, but that the
    logits are not centred.
    """
    return 0.5 * (student_BC - teacher_BC).square().mean(-1)


KL = Knowledge(loss=kl)
KL_STANDARDIZED = Knowledge(loss=kl_standardized, weight=10)
"""The paper's weights are 9 for the term and 0.1 for the labels, which is alpha = 0.9."""
LOGIT_MSE = Knowledge(loss=logit_mse, tempered=False)
