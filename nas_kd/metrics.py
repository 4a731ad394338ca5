"""What a student is judged by on the validation split: one number in [0, 1], larger is better.

Suffixes: N examples, C classes; leading dimensions (students) broadcast.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from nas_kd.registry import Registry

Score = Callable[[Tensor, Tensor], Tensor]
"""(logits [..., N, C], labels [N]) -> [...]"""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its score function, and what decides its chance level and standard error."""

    score: Score
    even: bool = False
    """Every class counts the same, however few examples it has."""
    guesses: int = 1
    """How many classes an answer may name."""
    of_teacher: bool = False
    """The labels that it compares with are the teacher's answers."""

    def chance(self, counts_C: Tensor) -> float:
        """What guessing reaches, of the validation examples of each class."""
        shares_C = counts_C.double() / counts_C.sum()
        if self.even:
            return self.guesses / len(counts_C)
        return float(shares_C.topk(min(self.guesses, len(shares_C))).values.sum())

    def examples(self, counts_C: Tensor) -> int:
        """How many independent examples it is as sure as: all, or fewer where rare classes count
        as much as others (the variance of a mean over classes, taken as equally hard)."""
        there_C = counts_C[counts_C > 0].double()
        return (
            round(float(len(there_C) ** 2 / (1 / there_C).sum()))
            if self.even
            else int(counts_C.sum())
        )


def accuracy(logits_NC: Tensor, labels_N: Tensor) -> Tensor:
    """The share of examples whose largest logit is that of their class."""
    return (logits_NC.argmax(-1) == labels_N).double().mean(-1)


def top5(logits_NC: Tensor, labels_N: Tensor) -> Tensor:
    """The share of examples whose class is among the five largest logits."""
    best_NK = logits_NC.topk(min(5, logits_NC.shape[-1]), -1).indices
    return (best_NK == labels_N[:, None]).any(-1).double().mean(-1)


def hits(logits_NC: Tensor, labels_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each class [..., C]: the right answers, all answers, and the examples."""
    classes = logits_NC.shape[-1]
    answers_NC = one_hot(logits_NC.argmax(-1), classes).double()
    truth_NC = one_hot(labels_N, classes).double()
    return (answers_NC * truth_NC).sum(-2), answers_NC.sum(-2), truth_NC.sum(-2)


def balanced_accuracy(logits_NC: Tensor, labels_N: Tensor) -> Tensor:
    """The mean over classes of the share of their examples that are right (recall)."""
    right_C, _, there_C = hits(logits_NC, labels_N)
    known_C = there_C > 0
    return (right_C / there_C.clamp(min=1)).sum(-1) / known_C.sum()


def macro_f1(logits_NC: Tensor, labels_N: Tensor) -> Tensor:
    """The mean over classes of F1, the harmonic mean of precision and recall."""
    right_C, given_C, there_C = hits(logits_NC, labels_N)
    known_C = (there_C > 0) | (given_C > 0)
    return (2 * right_C / (given_C + there_C).clamp(min=1)).sum(-1) / known_C.sum(-1)


METRICS: Registry[Metric] = Registry("metric")
METRICS.update(
    {
        "accuracy": Metric(accuracy),
        "balanced-accuracy": Metric(balanced_accuracy, even=True),
        "macro-f1": Metric(macro_f1, even=True),
        "top-5": Metric(top5, guesses=5),
        "agreement": Metric(accuracy, of_teacher=True),
    }
)
"""Metrics by name; `METRICS["mine"] = MINE` adds one."""


def counts(labels_N: Tensor, classes: int) -> Tensor:
    """The examples [C] of each class."""
    return torch.bincount(labels_N[labels_N >= 0], minlength=classes)


def of_teachers(metric: str) -> str:
    """What a teacher is judged by where students are judged by this: its own answers prove
    nothing."""
    return "accuracy" if METRICS[metric].of_teacher else metric


READ_AS = {
    "macro-f1": "macro F1",
    "top-5": "top-5 accuracy",
    "agreement": "agreement with the teacher",
}


def metric_in_words(metric: str) -> str:
    """A metric's name as it is read: balanced accuracy."""
    return READ_AS.get(metric, metric.replace("-", " "))
