"""Which trials of a generation train together, and in which order they go out.

A function of the trials and the kind of device alone, never of how many workers there are or which
of them is free, so that results are the same for any number.
"""

from collections.abc import Container, Hashable, Iterable, Sequence

from nas_kd.costs.budgets import WHOLE
from nas_kd.knowledge import mixture
from nas_kd.students import FAMILIES
from nas_kd.students.packing import most_together
from nas_kd.study.record import StudentRecord
from nas_kd.training.recipe import Recipe

Cohort = tuple[StudentRecord, ...]

BLOCK = 30_000
"""What a block costs beside its arithmetic, in MACs of an example: mostly Python's time."""

LARGEST_SHARE = 0.5
"""No cohort is more than this share of a generation's work, so that two workers stay busy."""


def work(records: Iterable[StudentRecord]) -> float:
    """How long these students take to train, in no unit."""
    return float(sum(record.costs["macs"] + BLOCK * record.config.depth for record in records))


def cohorts(
    recipe: Recipe, records: Sequence[StudentRecord], apart: Sequence[Container[int]] = ()
) -> list[Cohort]:
    """The students in cohorts that train together, the longest first; trials of each part of
    `apart` share a cohort with none outside it."""
    limit = LARGEST_SHARE * work(records)
    groups: dict[Hashable, list[StudentRecord]] = {}
    for record in records:
        part = tuple(record.number in numbers for numbers in apart)
        groups.setdefault((together(recipe, record), part), []).append(record)
    pieces = [piece for group in groups.values() for piece in cut(recipe, group, limit)]
    return sorted(pieces, key=lambda piece: (-work(piece), piece[0].number))


def together(recipe: Recipe, record: StudentRecord) -> Hashable:
    """Students for which this is equal can train in one network."""
    config = record.config
    pack = FAMILIES[config.family].pack
    if pack is None or most_together(recipe.device, config, recipe.batch) == 1:
        return record.number
    if recipe.spec.qat and config.bits != WHOLE:
        return record.number
    layers = mixture(str(record.settings["knowledge"])).of_layers
    if record.taught and (layers or not recipe.spec.who_teaches.alone):
        return record.number
    of_whom = record.settings["knowledge"], record.settings.get("teacher")
    return (config.family, pack.alike(config), record.taught, of_whom)


def cut(recipe: Recipe, group: Sequence[StudentRecord], limit: float) -> list[Cohort]:
    """Cohorts of students of similar width, each as large as is worth it, none beyond the limit."""
    pieces: list[list[StudentRecord]] = []
    most = 0
    for record in sorted(group, key=lambda r: (-max(r.config.channels), r.number)):
        if not pieces or len(pieces[-1]) == most or work([*pieces[-1], record]) > limit:
            pieces.append([])
            most = most_together(recipe.device, record.config, recipe.batch)
        pieces[-1].append(record)
    return [tuple(sorted(piece, key=lambda record: record.number)) for piece in pieces]
