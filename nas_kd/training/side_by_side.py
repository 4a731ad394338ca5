"""What is trained beside one student: peers, a co-teacher, adapters, the heads of early exits.

Suffixes: G networks, the student first, B examples, C classes or channels, X the sides of a map.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas_kd.data.signals import Kept, Tap
from nas_kd.errors import Unusable
from nas_kd.knowledge import KNOWLEDGE, mixture
from nas_kd.knowledge.feature import pooled
from nas_kd.knowledge.layers import needs, pairs_for
from nas_kd.knowledge.term import Features
from nas_kd.schemes import Scheme
from nas_kd.students import build
from nas_kd.students.family import StudentConfig
from nas_kd.students.taps import taps_of
from nas_kd.training.checkpoints import Tensors, Trained
from nas_kd.training.jobs import RungJob
from nas_kd.training.loop import derive


class SideBySide(nn.Module):
    """Several networks that answer the same examples, the student first: [G, B, C], or [B, C] if it
    is alone; and layers that are trained with them."""

    def __init__(self, networks: Sequence[nn.Module], extra: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.extra = nn.ModuleDict(extra)

    def forward(self, examples_BX: Tensor) -> Tensor:
        """Logits [G, B, C], or [B, C] of one network."""
        logits = [network(examples_BX) for network in self.networks]
        return torch.stack(logits) if len(logits) > 1 else logits[0]


ROUND = "before."
"""The prefix, in a checkpoint, of the student of the round before."""


def by_prefix(state: Tensors, first: Tensors, second: Tensors) -> dict[str, Trained]:
    """What is trained side by side, by its prefix in a checkpoint: none for the student, `peer.K.`
    for another network, `adapter.` for the rest."""
    found: dict[str, tuple[dict[str, Tensor], ...]] = {}
    for place, part in enumerate((state, first, second)):
        for name, value in part.items():
            prefix, own = prefix_of(name)
            found.setdefault(prefix, ({}, {}, {}))[place][own] = value
    return {prefix: (parts[0], parts[1], parts[2]) for prefix, parts in found.items()}


def prefix_of(name: str) -> tuple[str, str]:
    """The prefix of a tensor of `SideBySide`, and its own name."""
    kind, rest = name.split(".", 1)
    if kind == "extra":
        return "adapter.", rest
    number, own = rest.split(".", 1)
    return (f"peer.{number}." if int(number) else ""), own


@dataclass(frozen=True, slots=True)
class Comparison:
    """A term of layers, for one student: which of its taps, and which of the teacher's layers."""

    term: str
    taps: tuple[Tap, ...]
    partners: tuple[Tap, ...]
    numbers: tuple[int, ...] | None
    """The index of the stored feature for each tap; None if every feature is used in order."""

    def extra(self) -> dict[str, nn.Module]:
        """The adapters, by name. Raises Unusable for one that is no layer."""
        adapter = KNOWLEDGE[self.term].adapter
        if adapter is None:
            return {}
        pairs = zip(self.taps, self.partners, strict=True)
        made = {self.name_of(n): adapter(*pair) for n, pair in enumerate(pairs)}
        if odd := [one for one in made.values() if not isinstance(one, nn.Module)]:
            wrong = f"has an adapter that makes {type(odd[0]).__name__}, not an nn.Module"
            right = "Give a layer for every pair of taps; nn.Identity() changes nothing."
            raise Unusable(f"the knowledge term {self.term!r}", wrong, right)
        return made

    def name_of(self, number: int) -> str:
        """The name of an adapter."""
        return f"{self.term}-{number}"

    def of_student(self, given: Mapping[str, Tensor], extra: nn.ModuleDict) -> Features:
        """What the student's layers gave, through their adapters."""
        features = []
        for number, tap in enumerate(self.taps):
            gave_BCX = given[tap.name]
            name = self.name_of(number)
            features.append(extra[name](gave_BCX) if name in extra else gave_BCX)
        return tuple(features)

    def of_teacher(self, kept: Features) -> Features:
        """The stored features that they are compared with."""
        return kept if self.numbers is None else tuple(kept[number] for number in self.numbers)


def comparison(kept: Kept, config: StudentConfig, taps: Sequence[Tap]) -> Comparison:
    """How a term compares a student's taps. Raises Unusable for a student that has not what the
    term needs."""
    term = KNOWLEDGE[kept.term]
    pairs = pairs_for(term, taps, kept.taps)
    if not pairs:
        wrong = f"has no {needs(term)}, which knowledge {kept.term} compares"
        raise Unusable(f"student {config.name()}", wrong, "Take another family, or another term.")
    numbers = tuple(number for _, number in pairs)
    return Comparison(
        kept.term,
        tuple(tap for tap, _ in pairs),
        tuple(kept.taps[number] for number in numbers),
        numbers if term.layers == "all" else None,
    )


class ExitHead(nn.Module):
    """The mean over positions and a linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(channels, classes)

    def forward(self, features_BCX: Tensor) -> Tensor:
        """Logits [B, C]."""
        logits_BC: Tensor = self.head(pooled(features_BCX, ()))
        return logits_BC


def exit_name(number: int) -> str:
    """The name of the head of an early exit."""
    return f"exit-{number}"


def exit_taps(config: StudentConfig) -> tuple[Tap, ...]:
    """Where a student has early exits: after each stage before its last, or in the middle if it has
    one stage; a student without maps after each hidden layer before its last."""
    taps = taps_of(config)
    maps = [tap for tap in taps if tap.sides]
    if len(maps) == 1:
        within = [tap for tap in taps_of(config, every=True) if tap.sides]
        return tuple(within[(len(within) - 1) // 2 : -1][:1])
    return tuple((maps or list(taps))[:-1])


@dataclass(frozen=True, slots=True)
class Beside:
    """All that is trained beside one student."""

    mates: tuple[StudentConfig, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    exits: tuple[Tap, ...] = ()

    @property
    def taps(self) -> tuple[Tap, ...]:
        """The student's layers that are looked at."""
        compared = (tap for one in self.comparisons for tap in one.taps)
        return tuple(dict.fromkeys((*compared, *self.exits)))


def beside_of(job: RungJob, scheme: Scheme) -> Beside | None:
    """What is trained beside the one student of a job; None if nothing is. Raises Unusable for a
    student that has not the layers that a term compares."""
    (member,) = job.members
    config, terms = member.config, mixture(str(member.settings["knowledge"])).of_layers
    if scheme.target is not None:
        exits = exit_taps(config) if scheme.exits else ()
        return Beside(scheme.mates(config, job.settings.peers, job.settings.co_teacher), (), exits)
    if not scheme.teacher or not terms or job.signals is None:
        return None
    taps = taps_of(config)
    compared = (comparison(kept, config, taps) for kept in job.signals.kept if kept.term in terms)
    return Beside(comparisons=tuple(compared))


def side_by_side(
    student: nn.Module, config: StudentConfig, beside: Beside, seed: int
) -> SideBySide:
    """A student of this config with what is trained beside it, freshly drawn by its seed."""
    networks = [student]
    for number, mate in enumerate(beside.mates, 1):
        torch.manual_seed(derive(seed, "peer", number))
        networks.append(build(mate))
    torch.manual_seed(derive(seed, "adapter"))
    extra = {name: made for one in beside.comparisons for name, made in one.extra().items()}
    extra |= {exit_name(number): ExitHead(tap.channels, config.classes)
              for number, tap in enumerate(beside.exits)}  # fmt: skip
    return SideBySide(networks, extra)
