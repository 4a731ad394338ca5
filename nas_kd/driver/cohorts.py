"""Which trials of a generation train together, and in which order they go out.

A function of the trials and the kind of device alone, never of how many workers there are or which
of them is free, so that results are the same for any number.
"""

from collections.abc import Container, Iterable, Sequence
from typing import Any

from optuna.trial import FrozenTrial

from nas_kd.driver.context import Scene, batch_of
from nas_kd.metrics import METRICS
from nas_kd.students import FAMILIES
from nas_kd.students.family import StudentConfig
from nas_kd.students.packing import most_together

Trials = tuple[FrozenTrial, ...]

STEP = 30_000
"""What a block costs beside its arithmetic, in MACs of an example: mostly Python's time."""

SHARE = 0.5
"""No cohort is more than this share of a generation's work, so that two workers stay busy."""


def student(trial: FrozenTrial) -> StudentConfig:
    """The student of a stored trial."""
    return StudentConfig.from_json(trial.user_attrs["student"])


def taught(scene: Scene, trial: FrozenTrial) -> bool:
    """Whether a trial learns from the teacher."""
    return bool(scene.sample(trial)["alpha"] > 0)


def waits(scene: Scene, trial: FrozenTrial) -> bool:
    """Whether a trial needs the teacher's signals: to learn from them or to be compared with."""
    return taught(scene, trial) or METRICS[scene.spec.metric].of_teacher


def work(trials: Iterable[FrozenTrial]) -> float:
    """How long these trials take to train, in no unit."""
    return float(sum(trial.user_attrs["macs"] + STEP * student(trial).depth for trial in trials))


def cohorts(
    scene: Scene, trials: Sequence[FrozenTrial], apart: Sequence[Container[int]] = ()
) -> list[Trials]:
    """The trials in pieces that train together, the longest first; those of each part of `apart`
    share with none outside it.

    While the teacher is not ready, trials that do not need it come before, the shortest first:
    there is time, and somebody is waiting for a first result.
    """
    limit, batch = SHARE * work(trials), batch_of(scene.spec, scene.data)
    groups: dict[Any, list[FrozenTrial]] = {}
    for trial in trials:
        part = tuple(trial.number in numbers for numbers in apart)
        groups.setdefault((together(scene, trial, batch), part), []).append(trial)
    pieces = [p for group in groups.values() for p in cut(scene.device, batch, group, limit)]
    waiting = scene.signals.value is None
    early = [piece for piece in pieces if waiting and not waits(scene, piece[0])]
    late = [piece for piece in pieces if piece not in early]
    return [
        *sorted(early, key=lambda piece: (work(piece), piece[0].number)),
        *sorted(late, key=lambda piece: (-work(piece), piece[0].number)),
    ]


def together(scene: Scene, trial: FrozenTrial, batch: int) -> Any:
    """Trials for which this is equal can train in one network."""
    config = student(trial)
    pack = FAMILIES[config.family].pack
    if pack is None or most_together(scene.device, config, batch) == 1:
        return trial.number
    knowledge = scene.sample(trial)["knowledge"]
    return (config.family, pack.alike(config), taught(scene, trial), knowledge)


def cut(device: str, batch: int, group: Sequence[FrozenTrial], limit: float) -> list[Trials]:
    """Pieces of trials of similar width, each as large as is worth it, none beyond the limit."""
    pieces: list[list[FrozenTrial]] = []
    most = 0
    for trial in sorted(group, key=lambda t: (-max(student(t).channels), t.number)):
        if not pieces or len(pieces[-1]) == most or work([*pieces[-1], trial]) > limit:
            pieces.append([])
            most = most_together(device, student(trial), batch)
        pieces[-1].append(trial)
    return [tuple(sorted(piece, key=lambda trial: trial.number)) for piece in pieces]
