"""What a student is (its config) and what a family of students is (a frozen record)."""

import hashlib
import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated

from pydantic import Field
from torch import nn

from nas_kd.costs.budgets import WHOLE, Counts
from nas_kd.errors import Unusable
from nas_kd.records import read_json

SCHEMA = 1

Option = str | int | float | bool

MOST, LAYERS = 10**7, 1000
"""Of channels, classes or values along a side, and of blocks: no student has more."""

TEACHER = "teacher"
"""The value of the option `weights` of a student that starts from its teacher's weights."""


@dataclass(frozen=True, slots=True)
class StudentConfig:
    """Everything that building a student needs; nothing else is ever asked."""

    family: str
    input_shape: tuple[Annotated[int, Field(ge=1, le=MOST)], ...]
    """Shape of one example, such as (channels, height, width)."""
    classes: Annotated[int, Field(ge=1, le=MOST)]
    depth: Annotated[int, Field(ge=1, le=LAYERS)]
    channels: Annotated[tuple[Annotated[int, Field(ge=1, le=MOST)], ...], Field(max_length=LAYERS)]
    """The real widths, block by block, or stage by stage."""
    bits: int = WHOLE
    """Of a weight: 32, or 8 for a student that is quantised after training."""
    options: Mapping[str, Option] = field(default_factory=dict)
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Canonical JSON: equal configs give equal text."""
        facts = {one.name: getattr(self, one.name) for one in fields(self)}
        return json.dumps(facts, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "StudentConfig":
        """The config that `to_json` wrote. Raises Unusable for anything else."""
        right = "Search again with this version."
        try:
            config = read_json(cls, text)
        except ValueError as error:
            raise Unusable("a student's config", f"is none ({error})", right) from None
        if config.schema != SCHEMA:
            wrong = f"has schema {config.schema}, and this version of nas-kd reads {SCHEMA}"
            raise Unusable("a student's config", wrong, right)
        return config

    @property
    def starts_as_teacher(self) -> bool:
        """Whether its initial weights are the teacher's."""
        return self.options.get("weights") == TEACHER

    @property
    def drawn(self) -> "StudentConfig":
        """The same student with freshly drawn weights: without anything of the teacher's."""
        options = {name: value for name, value in self.options.items() if name != "weights"}
        return replace(self, options=options) if self.starts_as_teacher else self

    def key(self) -> str:
        """Hash of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def label(self) -> str:
        """The widths as people write them: 12-24-48."""
        return "-".join(map(str, self.channels))

    def name(self) -> str:
        """Family, widths and options: mobilenet 12-24, squeeze_excite true, 8 bits."""
        return f"{self.family} {self.label()}{self.extras()}"

    def extras(self) -> str:
        """The config's options, and its bits unless they are 32, as text to append to the widths.

        Options that have the family's default value are not in a config.
        """
        bits = "" if self.bits == WHOLE else f", {self.bits} bits"
        options = (f", {name} {value}".lower() for name, value in self.options.items())
        return "".join((*options, bits))


@dataclass(frozen=True, slots=True)
class Pack:
    """How students of a family are trained in one network, where zero-padding is exact."""

    build: Callable[[Sequence[StudentConfig]], nn.Module]
    """One network of these students, the deepest first, from [B, *input_shape] to [G, B, classes];
    each of its tensors has the students as rows, narrower ones padded with zeros."""
    names: Callable[[StudentConfig], Mapping[str, str]]
    """The name in the packed network of each layer of a student."""
    alike: Callable[[StudentConfig], Hashable] = lambda config: None
    """Only students for which this is equal fit into one network."""


@dataclass(frozen=True, slots=True)
class Family:
    """One parametrised kind of network, each width of which is free."""

    build: Callable[[StudentConfig], nn.Module]
    """A network with freshly drawn weights, from [B, *input_shape] to [B, classes] logits."""
    counts: Callable[[StudentConfig], Counts] | None = None
    """The size of that network in closed form; checked against the network itself. Without it the
    network is built and counted, some tens of times for each student that is searched."""
    default_depth: int = 1
    default_taper: float = 1.0
    depths: range = range(1, 17)
    """The depths the family can have."""
    sides: frozenset[int] = frozenset({2})
    """How many sides its examples can have: 2 are pictures, 1 are signals, 0 are tables."""
    options: Mapping[str, tuple[Option, ...]] = field(default_factory=dict)
    """Choices beside depth and widths; the first of each is what a student has unless said."""
    searched: tuple[str, ...] = ()
    """Options that are searched unless they are fixed."""
    settings: tuple[str, ...] = ()
    """Settings of a trial that its students read by name, among their config's options."""
    stages: Callable[[int], int] = lambda depth: depth
    """How many widths a student of a depth has; fewer where several blocks share one."""
    whole: int | None = None
    """The one width of the network as its author wrote it, of a family that is one made
    narrower."""
    pack: Pack | None = None
    """How its students train in one network; None if they cannot."""


def tapered(count: int, base: float, taper: float, multiple_of: int = 1) -> tuple[int, ...]:
    """Widths that grow by the factor `taper` from `base`, rounded, at least one multiple each."""
    real = (base * taper**stage / multiple_of for stage in range(count))
    return tuple(multiple_of * max(1, round(width)) for width in real)
