"""Teacher signals: what training needs of the teacher, computed once.

Suffixes: V views, N examples of the train split, C classes.
"""

from dataclasses import dataclass

from nas_kd.data.arrays import ArrayRef


@dataclass(frozen=True, slots=True)
class Tap:
    """A place in a network whose output a knowledge term compares: the name of a module."""

    name: str
    channels: int
    sides: tuple[int, ...]
    """The sides of its maps; none for a vector [B, C]."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a knowledge term keeps of the teacher's layers."""

    term: str
    taps: tuple[Tap, ...]
    arrays: tuple[ArrayRef, ...]
    """[V, N, ...] each, as many as the term's `keep` gives."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The teacher's answers for each view and example of the train split, and the class that it
    gives to each example of the validation split; None where it has no answers there.

    `key` is a hash of the teacher's weights, its input and output, the data and their views:
    signals of another teacher or of other data cannot be taken for these.
    """

    key: str
    logits_VNC: ArrayRef
    answers_N: ArrayRef | None
    kept: tuple[Kept, ...] = ()

    @property
    def arrays(self) -> tuple[ArrayRef, ...]:
        """All that is stored."""
        answers = () if self.answers_N is None else (self.answers_N,)
        return (self.logits_VNC, *answers, *(one for kept in self.kept for one in kept.arrays))
