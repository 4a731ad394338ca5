"""What a teacher's answers to the examples that students learn from tell of how it teaches.

Suffixes: N examples of the train split, C classes.
"""

from collections.abc import Iterator
from math import log

from torch import Tensor

from nas_kd.data.source import UNLABELLED
from nas_kd.intervals import half_width
from nas_kd.teachers.adapting import FLOOR

FAR = 0.05
"""A teacher is far better on the train split by this, and by more than chance."""

NEAR = 1e-3
"""A logit within this of log(FLOOR) stands for a probability of 0."""

OFTEN = 0.5
"""Answers are taken for rounded where so many have one class at 1."""


def doubts(
    logits_NC: Tensor, labels_N: Tensor, validation: float | None, examples: int
) -> Iterator[tuple[str, str]]:
    """What is wrong with a teacher's answers to training examples, and what to do; its accuracy on
    so many validation examples is given, if it is known."""
    known_N = labels_N != UNLABELLED
    if validation is not None and known_N.any():
        right_N = logits_NC.argmax(-1)[known_N] == labels_N[known_N]
        train = float(right_N.double().mean())
        if train - validation > max(FAR, 4.2 * half_width(validation, examples)):
            yield (
                f"is right in {train:.1%} of the train split and in {validation:.1%} of "
                "validation: it knows its training examples by heart, and its answers to them "
                "are nearly one class alone",
                "Give it answers out of fold (each by a model that has not seen the example, as a "
                "table), or a transfer set that it has not seen: --unlabelled.",
            )
    none_NC = (logits_NC - log(FLOOR)).abs() < NEAR
    rounded = float((none_NC.sum(-1) == logits_NC.shape[-1] - 1).double().mean())
    if rounded >= OFTEN:
        yield (
            f"gives one class the probability 1 in {rounded:.0%} of the train split: it says "
            "nothing of the others there, and a temperature cannot bring that back",
            "Give it logits, or probabilities that are not rounded.",
        )
