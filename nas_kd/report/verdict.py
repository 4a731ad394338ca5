"""The verdict of a search, before any confirm: of one seed, on the validation examples.

What distillation gained is read off a student that was named before anything was trained: a
family's default student and the same without the teacher. Of several families that pair is taken
whose mean is highest, which says nothing of its difference. What the search gained is read off the
best student, which was chosen for its accuracy; so the bound holds for the best of all that were
trained to their end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot

import numpy as np

from nas_kd.crossed import Values, at_least, difference_of, luck_of
from nas_kd.intervals import Estimate, gain
from nas_kd.study.answers import kept_values, values_of
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView
from nas_kd.verdict import NO_LABELS, of_distillation, of_search_at_least, of_the_largest


@dataclass(frozen=True, slots=True)
class SearchVerdict:
    """What may be said of a search before it is confirmed."""

    distillation: Estimate | None
    """A default student minus the same without the teacher; None where that is not known."""
    search: float | None
    """The best student minus the largest that fits, at least; None if that is one student, or is
    not known."""
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A family's default student with the teacher and without."""

    family: str
    taught: float
    alone: float
    values: tuple[Values | None, Values | None]


def verdict_of(view: StudyView) -> SearchVerdict:
    """The verdict of a search that has completed trials."""
    gained, first = distillation(view)
    over, second = search(view)
    return SearchVerdict(gained, over, (first, second))


def pairs(view: StudyView) -> Iterator[Pair]:
    """The pairs that are trained, family by family."""
    for family in view.facts["families"]:
        rows = [row for row in view.defaults(family) if row.accuracy is not None]
        taught = [row for row in rows if row.taught]
        alone = [(row.accuracy, values_of(view, row)) for row in rows if not row.taught]
        name = f"largest {family} alone"
        if control := view.facts.get(name):
            place = view.folder.control(name)
            alone.append((control["accuracy"], kept_values(view, place)))
        if taught and alone and alone[0][0] is not None:
            values = values_of(view, taught[0]), alone[0][1]
            yield Pair(family, taught[0].accuracy or 0.0, alone[0][0], values)


def faults(view: StudyView) -> list[str]:
    """Why default students failed."""
    rows = [row.fault for family in view.facts["families"] for row in view.defaults(family)]
    names = [f"largest {family} alone" for family in view.facts["families"]]
    rows += [view.facts[name]["fault"] for name in names if name in view.facts]
    return [fault for fault in rows if fault]


def distillation(view: StudyView) -> tuple[Estimate | None, str]:
    """What distillation gained for a default student, and that in words."""
    if view.spec.teacher_classes:
        return None, NO_LABELS
    if not any(row.taught for row in view.rows):
        return None, "Every student was trained without the teacher (alpha 0)."
    named = max(pairs(view), key=lambda pair: pair.taught + pair.alone, default=None)
    if named is None:
        why = "".join(f" ({fault})" for fault in faults(view)[:1])
        return None, (
            "What distillation gained is not known: no family's default student was trained to its "
            f"end both with the teacher and without{why}."
        )
    taught_N, alone_N = named.values
    if taught_N is None or alone_N is None:
        found = gain(named.taught, named.alone, view.examples)
    else:
        luck = hypot(luck_of(named.taught), luck_of(named.alone))
        found = difference_of(taught_N[None], alone_N[None], luck)
    return found, of_distillation(found, f"for the largest {named.family} that fits")


def search(view: StudyView) -> tuple[float | None, str]:
    """What the search gained over the largest that fits, at least, and that in words."""
    best, largest, name = view.pick("best"), view.best_default, view.default_name
    if best.number == largest.number:
        return None, of_the_largest(name)
    if largest.accuracy is None:
        return (
            None,
            "What the search gained is not known: no default student was trained to its end.",
        )
    bound = bound_of_the_best(view, best, largest)
    if bound is None:
        return None, (
            "What the search gained is not known: the students' answers are not in the study, or "
            "the metric does not say what each adds."
        )
    return bound, of_search_at_least(bound, (best.accuracy or 0.0) - largest.accuracy, name)


def bound_of_the_best(view: StudyView, best: StudentRecord, largest: StudentRecord) -> float | None:
    """What the best student is better by than the largest that fits, at least, though it was chosen
    as the best of all; None where answers are missing."""
    control_N = values_of(view, largest)
    others = [
        row
        for row in view.rows
        if row.accuracy is not None and row.duplicate_of is None and row.number != largest.number
    ]
    values = [values_of(view, row) for row in others]
    if control_N is None or not values or any(value is None for value in values):
        return None
    gains_JN = np.stack([value - control_N for value in values if value is not None])
    bounds_J = at_least(gains_JN, luck_of(best.accuracy or 0.0))
    return float(bounds_J[[row.number for row in others].index(best.number)])
