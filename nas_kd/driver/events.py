"""What a search says while it runs; a display and a log listen."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nas_kd.study.mishaps import Kind
from nas_kd.study.record import StudentRecord


@dataclass(frozen=True, slots=True)
class Step:
    """One line about something that is done or known."""

    text: str


@dataclass(frozen=True, slots=True)
class Mended:
    """Something went wrong and is mended: done again, or waited for."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Planned:
    """How much there is to train: students, epochs of each, and those that are done already."""

    trials: int
    epochs: int
    done: int
    what: str = "trial"
    """What one of them is called."""


@dataclass(frozen=True, slots=True)
class Started:
    """A job went out; `progress` grows by a byte with each of its epochs."""

    job: str
    epochs: int
    progress: Path
    planned: bool = False
    """Whether it is one of those that were planned."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A job came back."""

    job: str


@dataclass(frozen=True, slots=True)
class Scored:
    """A student reached its last rung, or was stopped."""

    student: StudentRecord
    """As it was proposed, before it was trained."""
    accuracy: float
    axis: str
    """The kind of cost that the study's first budget bounds."""
    stopped: str | None = None
    """Why it was stopped, if it was."""

    @property
    def cost(self) -> int:
        """What the student costs, of that kind."""
        return self.student.costs[self.axis]


@dataclass(frozen=True, slots=True)
class Told:
    """A trial is finished, in the database too."""

    student: StudentRecord


@dataclass(frozen=True, slots=True)
class Trained:
    """A student of a confirm was trained with one seed, and scored."""

    name: str
    accuracy: float
    split: str
    fault: str | None = None


Event = Step | Mended | Planned | Started | Ended | Scored | Told | Trained
Observe = Callable[[Event], None]
