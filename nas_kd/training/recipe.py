"""The recipe of a study: everything that a job needs beside its members.

It needs no running search, so `check`, the estimate of the time and later trainings of the same
students make their jobs here too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas_kd.data.classes import balanced
from nas_kd.data.signals import Signals
from nas_kd.data.transfer import Rows, TransferSet, size
from nas_kd.metrics import METRICS
from nas_kd.schemes.scheme import last_round_from
from nas_kd.spec import StudySpec
from nas_kd.students.family import Option, StudentConfig
from nas_kd.training.jobs import (
    Member,
    RungJob,
    TrainSettings,
    default_batch,
    default_rungs,
    student_epochs,
)
from nas_kd.training.loop import derive


@dataclass(frozen=True, slots=True)
class Recipe:
    """A spec, its data and a kind of device: how every student of a study is trained."""

    spec: StudySpec
    data: TransferSet
    device: str = "cpu"
    co_teacher: StudentConfig | None = None
    """The network that is trained beside every student, where the spec asks for one."""
    teacher_weights: str | None = None
    """Where the study keeps its teacher's weights, from which a student may start."""

    @property
    def batch(self) -> int:
        """How many examples a step has."""
        return self.spec.batch or default_batch(size(self.data.train))

    @property
    def epochs(self) -> int:
        """The epochs of a student that is not stopped."""
        return self.spec.epochs or student_epochs(size(self.data.train), self.batch)

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs at which trials are compared, and some of them stopped."""
        if self.spec.rungs is not None:
            return self.spec.rungs
        before = last_round_from(self.epochs, self.spec.who_teaches.rounds)
        return tuple(before + rung for rung in default_rungs(self.epochs - before))

    @property
    def class_weights(self) -> tuple[float, ...]:
        """A weight of the hard loss for each class; none where all weigh the same."""
        return balanced(self.data) if self.spec.class_weights == "balanced" else ()

    def settings(self) -> TrainSettings:
        """What all students share."""
        spec = self.spec
        return TrainSettings(
            epochs=self.epochs,
            batch=self.batch,
            scheme=spec.scheme,
            plugins=spec.plugins,
            device=self.device,
            metric=spec.metric,
            class_weights=self.class_weights,
            peers=spec.peers,
            qat=spec.qat,
            co_teacher=self.co_teacher,
        )

    def needs_teacher(self, settings: Mapping[str, Option]) -> bool:
        """Whether a student of these settings learns from the teacher, or is compared with it."""
        taught = float(settings["alpha"]) > 0 and self.spec.who_teaches.teacher
        return taught or METRICS[self.spec.metric].of_teacher

    def member(
        self,
        trial: int,
        config: StudentConfig,
        settings: Mapping[str, Option],
        weights_of: int,
        checkpoint: bytes | None = None,
    ) -> Member:
        """A trial as the trainer takes it. The trial `weights_of` names the seed of its initial
        weights, which draws nothing else."""
        seed = derive(self.spec.seed, "weights", weights_of)
        start = self.teacher_weights if config.starts_as_teacher else None
        return Member(trial, config, settings, seed, self.spec.weight_decay, checkpoint, start)

    def job(
        self,
        members: Sequence[Member],
        signals: Mapping[str, Signals],
        start: int,
        stop: int,
        judged: Rows | None = None,
    ) -> RungJob:
        """The job that trains members, all of one teacher, through the epochs [start, stop), then
        scores them on the rows `judged`, or the validation split; signals are by teacher."""
        needed = any(self.needs_teacher(member.settings) for member in members)
        (teacher,) = {self.spec.teacher_of(member.settings) for member in members}
        return RungJob(
            members=tuple(members),
            data=self.data,
            signals=signals[teacher] if needed and signals and teacher else None,
            settings=self.settings(),
            order_seed=self.spec.seed,
            start=start,
            stop=stop,
            judged=judged or self.data.validation,
        )
