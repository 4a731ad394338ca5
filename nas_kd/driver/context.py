"""What the driver's parts share while a study runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from optuna.trial import FrozenTrial

from nas_kd.data.classes import balanced
from nas_kd.data.signals import Signals
from nas_kd.data.transfer import TransferSet, size
from nas_kd.driver.events import Observe
from nas_kd.metrics import METRICS
from nas_kd.space.first import first_samples
from nas_kd.space.sample import complete
from nas_kd.space.space import Sample, Space
from nas_kd.spec import StudySpec
from nas_kd.students.family import StudentConfig
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder
from nas_kd.training import Member, RungJob, TrainSettings, default_batch, derive
from nas_kd.workers.job_queue import Awaited, Crew

Reached = tuple[float, str | None]
"""A control's accuracy, and its fault if it has one."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A study that is being driven."""

    spec: StudySpec
    folder: StudyFolder
    ledger: Ledger
    crew: Crew
    data: TransferSet
    space: Space
    signals: Awaited[Signals]
    observe: Observe
    device: str = "cpu"
    """The kind of device that students train on."""
    twins: dict[int, Awaited[Reached]] = field(default_factory=dict)
    """What twins reached that were begun before it was known whose is wanted, by trial."""

    def sample(self, trial: FrozenTrial) -> Sample:
        """The whole sample of a stored trial, fixed settings included."""
        return complete(self.space, trial.params)


def batch_of(spec: StudySpec, data: TransferSet) -> int:
    """How many examples a step has."""
    return spec.batch or default_batch(size(data.train))


def settings_of(spec: StudySpec, data: TransferSet, device: str = "cpu") -> TrainSettings:
    """What all students share."""
    weights = balanced(data) if spec.class_weights == "balanced" else ()
    return TrainSettings(
        spec.epochs, batch_of(spec, data), spec.scheme, spec.plugins, device, spec.metric, weights
    )


def member(
    scene: Scene,
    trial: int,
    config: StudentConfig,
    sample: Sample,
    checkpoint: bytes | None,
    root: int,
) -> Member:
    """A trial as the trainer wants it; the seed of its root draws its weights and nothing else."""
    return Member(
        trial=trial,
        config=config,
        temperature=sample["temperature"],
        alpha=sample["alpha"],
        learning_rate=sample["learning_rate"],
        knowledge=sample["knowledge"],
        seed=derive(scene.spec.seed, "weights", taught_pair(scene.space, root)),
        weight_decay=scene.spec.weight_decay,
        checkpoint=checkpoint,
    )


def taught_pair(space: Space, trial: int) -> int:
    """The trial whose initial weights a trial has: its own, or of a default student without the
    teacher those of the same student with it, so that each is the other's twin."""
    first = first_samples(space)
    if trial < len(first) and first[trial]["alpha"] == 0 and trial % 2:
        return trial - 1
    return trial


def rung_job(scene: Scene, members: Sequence[Member], start: int, stop: int) -> RungJob:
    """The job that trains these members through the epochs [start, stop)."""
    taught = any(member.alpha > 0 for member in members)
    compared = METRICS[scene.spec.metric].of_teacher
    return RungJob(
        members=tuple(members),
        data=scene.data,
        signals=scene.signals.value if taught or compared else None,
        settings=settings_of(scene.spec, scene.data, scene.device),
        order_seed=scene.spec.seed,
        start=start,
        stop=stop,
    )
