"""What a confirm found: every student with its interval, and the verdict; kept as confirm.json."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from nas_kd.confirm.finalists import ALONE, BASELINE, BEST, DISTILLED, TWIN, Finalist
from nas_kd.crossed import Values, difference_of, mean_of
from nas_kd.errors import UnusableStudy
from nas_kd.intervals import Estimate
from nas_kd.metrics import METRICS, metric_in_words, parts_of
from nas_kd.records import read_record
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView
from nas_kd.verdict import (
    NO_LABELS,
    of_distillation,
    of_same_network,
    of_search,
    of_the_largest,
    of_two,
)

Answers = NDArray[np.uint16]
Trained = tuple[float, Answers]
"""What a student reached with a seed, and its answers [N, K] to the test examples."""


class Confirmed(BaseModel):
    """One student of a confirm."""

    model_config = ConfigDict(frozen=True)

    role: str
    label: str
    trial: int | None
    key: str
    learning_rate: float
    costs: dict[str, int]
    seeds: tuple[float | None, ...]
    """What it reached with each seed; None where it failed."""
    reached: Estimate | None
    """The mean over seeds; None if it failed with all."""
    behind: Estimate | None = None
    """How much less it reaches than the best, paired by seed and example."""


class Confirmation(BaseModel):
    """Every student, and the verdict."""

    model_config = ConfigDict(frozen=True)

    form: Literal[1] = 1
    when: str
    metric: str
    cost: str
    epochs: int
    seeds: int
    examples: int
    data: str
    """The key of the data."""
    covers: str
    """What the intervals cover: seeds and examples, or of a metric without parts the seeds."""
    teachers: tuple[float | None, ...]
    """What each teacher reaches on the test split; None where it cannot be asked there."""
    students: tuple[Confirmed, ...]
    distillation: Estimate | None
    """The best distilled student minus its twin."""
    search: Estimate | None
    """The best student minus the largest that fits; None where they are one."""
    sentences: tuple[str, ...]
    looks: int
    """How many scores on the test split there were before this confirm began."""

    @property
    def metric_name(self) -> str:
        """What the students are judged by, in words."""
        return metric_in_words(self.metric)

    def student(self, role: str) -> Confirmed | None:
        """The student in a role."""
        return next((one for one in self.students if one.role == role), None)


def read_confirmation(path: Path) -> Confirmation | None:
    """What the last confirm of a study found; None if there was none. Raises UnusableStudy."""
    if not path.exists():
        return None
    right = f"Remove it and confirm again, which takes seconds: nas-kd confirm {path.parent}"
    return read_record(Confirmation, path, right, UnusableStudy)


def values_of(trained: Sequence[Trained], labels_N: NDArray[np.int64], metric: str) -> Values:
    """What each seed and example adds to the metric [S, N]; of a metric without known parts what
    each seed reached, [1, S], whose interval covers the seeds alone."""
    parts = [parts_of(METRICS[metric], answers_NK, labels_N) for _, answers_NK in trained]
    known = [values_N for values_N in parts if values_N is not None]
    return np.stack(known) if known else np.array([[reached for reached, _ in trained]])


Seeds = Mapping[int, Trained]
"""The seeds with which a student did not fail."""


def difference(
    first: Seeds, second: Seeds, labels_N: NDArray[np.int64], metric: str
) -> Estimate | None:
    """The first student minus the second, over the seeds with which neither failed; None if there
    are fewer than two."""
    both = sorted(first.keys() & second.keys())
    if len(both) < 2:
        return None
    one, other = (
        values_of([found[seed] for seed in both], labels_N, metric) for found in (first, second)
    )
    return difference_of(one, other)


def reached(found: Seeds, labels_N: NDArray[np.int64], metric: str) -> Estimate | None:
    """The mean over the seeds that did not fail; None if all did.

    Where classes count alike, it is no surer than of as many examples as they are worth, few where
    a class is rare: its few answers may all be right, and then do not vary.
    """
    if not found:
        return None
    one = METRICS[metric]
    counts_C = torch.from_numpy(np.bincount(labels_N))
    most = one.examples(counts_C) if one.parts and one.even else None
    return mean_of(values_of([*found.values()], labels_N, metric), most)


def confirmed(
    finalist: Finalist,
    found: Seeds,
    seeds: int,
    labels_N: NDArray[np.int64],
    metric: str,
    behind: Estimate | None,
) -> Confirmed:
    """What is known of one student."""
    return Confirmed(
        role=finalist.role,
        label=finalist.label,
        trial=finalist.trial,
        key=finalist.key,
        learning_rate=float(finalist.settings["learning_rate"]),
        costs=dict(finalist.costs),
        seeds=tuple(found[seed][0] if seed in found else None for seed in range(seeds)),
        reached=reached(found, labels_N, metric),
        behind=behind,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What distillation gained and what the search gained, and both in words."""

    distillation: Estimate | None
    search: Estimate | None
    sentences: tuple[str, ...]


def verdict_of(
    students: Mapping[str, Finalist],
    compare: Callable[[str, str], Estimate | None],
    largest: str,
    cost: str,
    labels: bool = True,
) -> Verdict:
    """The verdict of a confirm: the best distilled student against its twin, and where it gained
    against the same network alone; the best against the largest that fits, which has this role, and
    against a network of the user's."""
    taught = students.get(DISTILLED, students[BEST])
    gained = compare(taught.role, TWIN) if TWIN in students else None
    if not labels:
        first = NO_LABELS
    elif TWIN not in students:
        first = "Every student was trained without the teacher (alpha 0)."
    elif gained is None:
        first = "What distillation gained is not known: too many seeds failed."
    else:
        first = of_distillation(gained, f"at {taught.costs[cost]:,} {cost}")
        if gained.sign > 0:
            first += "".join(
                of_same_network(over, students[role].label, role)
                for role in same_alone(students, taught)
                if (over := compare(taught.role, role))
            )
    if DISTILLED in students:
        of_the_other = f"{first[0].lower()}{first[1:]}"
        first = f"The best student has no teacher. Of the best distilled one: {of_the_other}"
    name = students[largest].label + (ALONE if largest.endswith(ALONE) else "")
    yours = tuple(
        of_two(compare(BEST, role), "The best student", f"{students[role].label} ({role})")
        for role in (BASELINE, f"{BASELINE}{ALONE}")
        if role in students
    )[:1]
    if students[BEST].key == students[largest].key:
        return Verdict(gained, None, (first, of_the_largest(name), *yours))
    over = compare(BEST, largest)
    lost = "What the search gained is not known: too many seeds failed."
    return Verdict(gained, over, (first, of_search(over, name) if over else lost, *yours))


def same_alone(students: Mapping[str, Finalist], taught: Finalist) -> list[str]:
    """The roles of the same network trained without the teacher, one for each that is no twin."""
    alone: dict[str, str] = {}
    for role, one in students.items():
        if one.config == taught.config.drawn and not float(one.settings["alpha"]):
            alone.setdefault(one.key, role)
    return [role for role in alone.values() if role != TWIN]


def confirm_of_the_best(view: StudyView) -> Confirmation | None:
    """The last confirm of a study, if its best student, and the best distilled one, are still the
    study's. Raises UnusableStudy."""
    found = read_confirmation(view.folder.confirmation)
    if found is None or (found.metric, found.cost) != (view.spec.metric, view.cost):
        return None
    top, taught = view.pick(BEST), view.best_taught
    wanted = {BEST: top} if taught in (None, top) else {BEST: top, DISTILLED: taught}
    roles = {role for role in (BEST, DISTILLED) if found.student(role)}
    same = roles == wanted.keys() and all(
        record and one and one.key == Finalist.of(role, record).key
        for role, record in wanted.items()
        for one in (found.student(role),)
    )
    return found if same else None


def confirmed_as(view: StudyView, row: StudentRecord) -> tuple[Confirmation, Confirmed] | None:
    """The last confirm of a study and what it found of a trial; None if that was not confirmed, or
    failed with every seed. Raises UnusableStudy."""
    found = read_confirmation(view.folder.confirmation)
    key = Finalist.of(BEST, row).key
    one = next((o for o in found.students if o.key == key and o.reached), None) if found else None
    return (found, one) if found and one else None
