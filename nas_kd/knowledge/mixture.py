"""Mixtures: one term, or several with a factor each, written `kl + 0.5 rkd`.

Suffixes: G students, B examples, C classes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from math import isfinite

import torch
from torch import Tensor

from nas_kd.errors import Unusable
from nas_kd.knowledge.registry import KNOWLEDGE
from nas_kd.knowledge.term import Features, Knowledge
from nas_kd.workers.memory import out_of_memory

FACTOR = r"(?P<factor>\d+\.?\d*|\.\d+)"
PART = re.compile(rf"(?:{FACTOR}\s*[*\s]\s*)?(?P<name>[A-Za-z_][\w-]*)")
"""One term of a mixture, perhaps with a factor: `rkd`, `0.5 rkd`, `.5*rkd`."""

MOST_WITHOUT_LOGITS = 0.95
"""The greatest alpha of a mixture that sees no logits: with 1 nothing would train the head."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a network answers to a batch."""

    logits_BC: Tensor
    """[B, C], or [G, B, C]."""
    features: Mapping[str, Features] = field(default_factory=dict)
    """Features by term: a student's own, or what the term's `keep` made of the teacher's."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Terms, each with its name and its factor."""

    terms: tuple[tuple[str, float, Knowledge], ...]

    @property
    def tempered(self) -> bool:
        """Whether a term uses the temperature."""
        return any(term.tempered for _, _, term in self.terms)

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of all further settings that are read."""
        return tuple(dict.fromkeys(name for _, _, term in self.terms for name in term.settings))

    @property
    def of_layers(self) -> dict[str, Knowledge]:
        """The terms that compare layers, by name."""
        return {name: term for name, _, term in self.terms if term.layers}

    @property
    def most_alpha(self) -> float:
        """The greatest alpha with which a student learns to answer."""
        return MOST_WITHOUT_LOGITS if len(self.of_layers) == len(self.terms) else 1.0

    def loss(
        self,
        student: Outputs,
        teacher: Outputs,
        label_B: Tensor,
        settings: Mapping[str, float | Tensor],
    ) -> Tensor:
        """The weighted sum [G, B] of the terms.

        `settings` has the temperature and the other settings of the terms, each a float or a tensor
        [G, 1, 1]. Raises Unusable for a term that does not give one value an example.
        """
        parts = [
            factor * term.weight * term_values(name, term, student, teacher, label_B, settings)
            for name, factor, term in self.terms
        ]
        return reduce(torch.add, parts)


def term_values(
    name: str,
    term: Knowledge,
    student: Outputs,
    teacher: Outputs,
    label_B: Tensor,
    settings: Mapping[str, float | Tensor],
) -> Tensor:
    """The values [G, B] of one term. Raises Unusable for a term that fails, or gives something
    else."""
    ours, theirs = (
        (student.features[name], teacher.features[name])
        if term.layers
        else (student.logits_BC, teacher.logits_BC)
    )
    read = {setting: settings[setting] for setting in term.settings}
    if term.labels:
        read["label_B"] = label_B
    tempered = (settings["temperature"],) if term.tempered else ()
    given = f"the knowledge term {name!r}"
    try:
        found_B = term.loss(ours, theirs, *tempered, **read)
    except Exception as error:
        if out_of_memory(error):
            raise
        shapes = " and ".join(map(shapes_in_words, (ours, theirs)))
        right = "It is given the student's answers or layers, and what is kept of the teacher's."
        wrong = f"fails on {shapes} ({type(error).__name__}: {error})"
        raise Unusable(given, wrong, right) from error
    learns = student.logits_BC.requires_grad
    if not isinstance(found_B, Tensor) or (learns and not found_B.requires_grad):
        wrong = f"gives {type(found_B).__name__} through which nothing flows back"
        raise Unusable(given, wrong, "It must give a tensor that depends on the student.")
    expected = max(student.logits_BC.shape, teacher.logits_BC.shape, key=len)[:-1]
    if found_B.shape != expected and found_B.shape != (1, *expected):
        wrong = f"gives {tuple(found_B.shape)} for logits {tuple(student.logits_BC.shape)}"
        right = "It must give one value an example, and reduce no other dimension."
        raise Unusable(given, wrong, right)
    return found_B


def shapes_in_words(answers: Tensor | Features) -> str:
    """The shape of logits, or of the features of each layer."""
    every = (answers,) if isinstance(answers, Tensor) else answers
    return ", ".join(str(tuple(one.shape)) for one in every)


def mixture(text: str) -> Mixture:
    """The terms that a text names. Raises UnknownName, Unusable for what is no mixture."""
    found = [PART.fullmatch(part.strip()) for part in text.split("+")]
    terms = []
    for match in found:
        factor = float(match["factor"] or 1) if match else 0.0
        if match is None or not factor > 0 or not isfinite(factor):
            right = "Say one term, or several with factors above 0, such as kl + 0.5 rkd."
            raise Unusable(f"knowledge {text!r}", "is no mixture of terms", right)
        terms.append((match["name"], factor, KNOWLEDGE[match["name"]]))
    names = [name for name, _, _ in terms]
    if len({*names}) < len(names):
        raise Unusable(f"knowledge {text!r}", "names a term twice", "Add its factors up.")
    return Mixture(tuple(terms))


def written(text: str) -> str:
    """A mixture as it is always written. Raises as `mixture` does."""
    return " + ".join(
        name if factor == 1 else f"{decimal(factor)} {name}"
        for name, factor, _ in mixture(text).terms
    )


def decimal(factor: float) -> str:
    """A factor in full, without an exponent: it is read again."""
    return format(Decimal(repr(factor)).normalize(), "f")
