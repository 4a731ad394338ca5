"""Mixtures: one term, or several with a factor each, written `kl + 0.5 rkd`.

Suffixes: G students, B examples, C classes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from torch import Tensor

from nas_kd.errors import Unusable
from nas_kd.knowledge.registry import KNOWLEDGE
from nas_kd.knowledge.term import Features, Knowledge

PART = re.compile(r"(?:(?P<factor>[0-9.]+(?:e[-+]?[0-9]+)?)\s*\*?\s+)?(?P<name>\S+)")

MOST_WITHOUT_LOGITS = 0.95
"""The greatest alpha of a mixture that sees no logits: with 1 nothing would train the head."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a network answers to a batch."""

    logits_BC: Tensor
    """[B, C], or [G, B, C]."""
    features: Mapping[str, Features] = field(default_factory=dict)
    """Of the layers that a term compares, by its name; of a teacher, what the term keeps."""


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
        total_B: Tensor | None = None
        for name, factor, term in self.terms:
            part_B = factor * term.weight * one(name, term, student, teacher, label_B, settings)
            total_B = part_B if total_B is None else total_B + part_B
        assert total_B is not None
        return total_B


def one(
    name: str,
    term: Knowledge,
    student: Outputs,
    teacher: Outputs,
    label_B: Tensor,
    settings: Mapping[str, float | Tensor],
) -> Tensor:
    """The values [G, B] of one term. Raises Unusable for another shape."""
    ours, theirs = (
        (student.features[name], teacher.features[name])
        if term.layers
        else (student.logits_BC, teacher.logits_BC)
    )
    read = {name: settings[name] for name in term.settings}
    if term.labels:
        read["label_B"] = label_B
    tempered = (settings["temperature"],) if term.tempered else ()
    found_B = term.loss(ours, theirs, *tempered, **read)
    expected = student.logits_BC.shape[:-1]
    if found_B.shape[-len(expected) :] != expected:
        wrong = f"gives {tuple(found_B.shape)} for logits {tuple(student.logits_BC.shape)}"
        right = "It must give one value an example, and reduce no other dimension."
        raise Unusable(f"the knowledge term {name!r}", wrong, right)
    return found_B


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
        name if factor == 1 else f"{factor:g} {name}" for name, factor, _ in mixture(text).terms
    )
