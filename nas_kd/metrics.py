"""What a student is judged by on the validation split: one number in [0, 1], larger is better.

Suffixes: N examples, C classes; leading dimensions (students) broadcast.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from nas_kd.registry import Registry

Score = Callable[[Tensor, Tensor], Tensor]
"""(logits [..., N, C], labels [N]) -> [...]"""

Parts = Callable[[Tensor, Tensor], Tensor]
"""(answers [N, K], labels [N]) -> [N]; answers are the classes of the K largest logits, K at most
five, the largest first."""


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
    parts: Parts | None = None
    """What each example adds: numbers whose mean is the score, and whose spread over the examples
    tells how sure it is. None: not known, and intervals of differences are wider."""

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


def right_parts(answers_NK: Tensor, labels_N: Tensor) -> Tensor:
    """1 where the first answer is right, else 0."""
    return (answers_NK[:, 0] == labels_N).double()


def among_parts(answers_NK: Tensor, labels_N: Tensor) -> Tensor:
    """1 where any of the answers is right, else 0."""
    return (answers_NK == labels_N[:, None]).any(-1).double()


def linearised(right_NC: Tensor, there_NC: Tensor, known: int) -> Tensor:
    """The parts [N] of the mean, over `known` classes, of the ratios sum(right) / sum(there), of
    right and there [N, C]: the mean of the ratios, and
    by how much each example moves it to first order (its influence; Hampel 1974, "The influence
    curve and its role in robust estimation")."""
    there_C = there_NC.sum(0).clamp(min=1e-12)
    ratio_C = right_NC.sum(0) / there_C
    moved_NC = len(right_NC) * (right_NC - ratio_C * there_NC) / there_C
    return (ratio_C + moved_NC).sum(-1) / known


def balanced_parts(answers_NK: Tensor, labels_N: Tensor) -> Tensor:
    """The parts of balanced accuracy."""
    there_NC = one_hot(labels_N).double()
    right_NC = there_NC * right_parts(answers_NK, labels_N)[:, None]
    return linearised(right_NC, there_NC, int((there_NC.sum(0) > 0).sum()))


def macro_f1_parts(answers_NK: Tensor, labels_N: Tensor) -> Tensor:
    """The parts of macro F1: of a class 2 right / (given + there)."""
    answers_N = answers_NK[:, 0].long()
    classes = 1 + int(max(answers_N.max(), labels_N.max()))
    given_NC, there_NC = (one_hot(of, classes).double() for of in (answers_N, labels_N))
    both_NC = given_NC + there_NC
    return linearised(2 * given_NC * there_NC, both_NC, int((both_NC.sum(0) > 0).sum()))


def parts_of(
    metric: Metric | None, answers_NK: NDArray[Any], labels_N: NDArray[Any]
) -> NDArray[np.float64] | None:
    """What each example adds to a metric [N]; None where that is not known."""
    if metric is None or metric.parts is None:
        return None
    answers, labels = (torch.from_numpy(x.astype(np.int64)) for x in (answers_NK, labels_N))
    found: NDArray[np.float64] = metric.parts(answers, labels).numpy()
    return found


METRICS: Registry[Metric] = Registry("metric")
METRICS.update(
    {
        "accuracy": Metric(accuracy, parts=right_parts),
        "balanced-accuracy": Metric(balanced_accuracy, even=True, parts=balanced_parts),
        "macro-f1": Metric(macro_f1, even=True, parts=macro_f1_parts),
        "top-5": Metric(top5, guesses=5, parts=among_parts),
        "agreement": Metric(accuracy, of_teacher=True, parts=right_parts),
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
