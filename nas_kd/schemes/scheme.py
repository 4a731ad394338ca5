"""What a scheme is: a frozen record of who is trained with whom, and whom each imitates.

Suffixes: G networks that are trained side by side, the student first, B examples, C classes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from nas_kd.students.family import StudentConfig


def no_one(
    config: StudentConfig, peers: int, co_teacher: StudentConfig | None
) -> tuple[StudentConfig, ...]:
    """A student trains by itself."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """Who teaches a student that has alpha above 0. One with alpha 0 trains alone in any scheme."""

    teacher: bool = False
    """Whether a fixed teacher does, whose answers are computed before the students train."""
    rounds: int = 1
    """How many times a student is trained anew, by the answers of the round before; the first round
    has labels only. Each round has an equal share of the epochs, and the last one counts."""
    mates: Callable[[StudentConfig, int, StudentConfig | None], tuple[StudentConfig, ...]] = no_one
    """(student, peers in all, co-teacher) -> the networks that are trained beside the student, from
    weights of their own. They are no part of its costs and are never exported."""
    exits: bool = False
    """Whether the stages before the student's last have a head each, which stand behind the student
    as further networks. They are off at export."""
    target: Callable[[Tensor], Tensor] | None = None
    """logits [G, B, C] -> [G, B, C], what each network imitates, or [K, G, B, C] for K targets
    each, whose losses are averaged. Targets carry no gradient."""
    labels_only: tuple[int, ...] = ()
    """The networks, of the G, that learn from the labels alone."""
    says: str = ""
    """Who teaches, in a sentence for reports; `{peers}` is how many networks there are in all."""
    most_alpha: float = 1.0
    """The greatest alpha: with 1, peers that see no labels would agree on anything."""

    def __post_init__(self) -> None:
        ways = (self.teacher, self.rounds > 1, self.target is not None)
        if sum(ways) > 1:
            raise ValueError("a scheme has a fixed teacher, or rounds, or a target: one of them")
        if self.target is None and (self.exits or self.mates is not no_one):
            raise ValueError("networks beside a student need a target: whom each imitates")

    @property
    def alone(self) -> bool:
        """Whether nobody is trained beside a student, and it is trained once."""
        return self.target is None and self.rounds == 1


def round_ends(epochs: int, rounds: int) -> tuple[int, ...]:
    """The epochs at which rounds end, as equal as can be."""
    return tuple(epochs * number // rounds for number in range(1, rounds + 1))


def last_round_from(epochs: int, rounds: int) -> int:
    """The epoch at which the last of several rounds begins; 0 if there is one."""
    return (0, *round_ends(epochs, rounds))[-2]
