"""Which layers a term compares, and which of the student's goes with which of the teacher's."""

from collections.abc import Sequence
from math import log, prod

from nas_kd.data.signals import Tap
from nas_kd.knowledge.term import Knowledge

FEWEST = {"ends": 2}
"""How many stages a term needs, where it is not one."""


def taps_for(term: Knowledge, taps: Sequence[Tap]) -> tuple[Tap, ...]:
    """Return the taps of a network that a term compares, or () if it lacks the layers.

    A term that needs no maps takes hidden layers of a network that has none.
    """
    maps = [tap for tap in taps if tap.sides]
    pool = maps if maps or term.maps else list(taps)
    if len(pool) < FEWEST.get(term.layers or "", 1):
        return ()
    match term.layers:
        case "all":
            return tuple(pool)
        case "last":
            return (pool[-1],)
        case "middle":
            return (pool[len(pool) // 2],)
        case "ends":
            return (pool[0], pool[-1])
        case "embedding":
            return (taps[-1],)
    return ()


def pairs_for(
    term: Knowledge, student: Sequence[Tap], teacher: Sequence[Tap]
) -> list[tuple[Tap, int]]:
    """Return the student's taps that a term compares, each with the number of its partner among the
    teacher's. With "all" the partner is the stage with the nearest number of positions, and the
    later one wins a tie."""
    mine = taps_for(term, student)
    if term.layers != "all":
        return [(tap, number) for number, tap in enumerate(mine)]
    return [(tap, min(range(len(teacher)), key=lambda n: (size_gap(tap, teacher[n]), -n)))
            for tap in mine]  # fmt: skip


def size_gap(one: Tap, other: Tap) -> float:
    """How far apart the numbers of positions are."""
    return abs(log(prod(one.sides) / prod(other.sides)))


def needs(term: Knowledge) -> str:
    """What a network must have for a term, in words."""
    if term.layers == "ends":
        return "maps of two sizes"
    return "layers with maps" if term.maps else "hidden layers"
