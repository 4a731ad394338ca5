"""Response knowledge: the student imitates the teacher's softened answers.

Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network", section 2,
https://arxiv.org/abs/1503.02531

Suffixes: B examples, C classes. Leading dimensions broadcast.
"""

from torch import Tensor

from nas_kd.knowledge.term import Knowledge, Temperature, log_softmax


def kl(student_BC: Tensor, teacher_BC: Tensor, temperature: Temperature) -> Tensor:
    """T^2 KL(softmax(teacher / T) || softmax(student / T)), [B], of logits.

    Summed over classes, one value an example, not less than zero up to rounding. The factor T^2
    keeps the gradient from falling as 1 / T^2, so that alpha means the same at each temperature.
    At a high T this is half the squared distance of centred logits, divided by C.
    """
    log_teacher_BC = log_softmax(teacher_BC / temperature)
    log_student_BC = log_softmax(student_BC / temperature)
    per_class_BC = log_teacher_BC.exp() * (log_teacher_BC - log_student_BC)
    squared = temperature**2 if isinstance(temperature, float | int) else temperature[..., 0] ** 2
    return squared * per_class_BC.sum(-1)


KL = Knowledge(loss=kl)
