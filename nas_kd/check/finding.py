"""What a check says: a fact, or a finding with what is wrong, how bad it is and what to do."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["wrong", "doubtful"]
"""`wrong` spoils the search; `doubtful` may be as it should be, and is worth a look."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is as it should be, or that is merely good to know."""

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, or very likely so."""

    about: str
    what: str
    how_bad: Severity
    what_to_do: str
