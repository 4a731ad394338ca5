"""The teacher's signals: computed once, kept in the study's folder, checked on resume."""

import json
import shutil
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.arrays import ArrayRef
from nas_kd.data.signals import Signals
from nas_kd.driver.events import Ended, Observe, Started, Step
from nas_kd.driver.teacher_stage import TeacherStage, send
from nas_kd.errors import UnusableTeacher
from nas_kd.files import write_text
from nas_kd.study.folder import StudyFolder
from nas_kd.study.sharing import keep, shared, take
from nas_kd.teachers.signals import SignalsJob, check_signals, compute_signals, signals_key, slices
from nas_kd.training.recipe import Recipe
from nas_kd.workers.job_queue import Awaited, JobQueue

META = "meta.json"


class SignalsStage:
    """Brings the signals of a teacher, once, as soon as the teacher is ready."""

    def __init__(
        self,
        recipe: Recipe,
        folder: StudyFolder,
        queue: JobQueue,
        observe: Observe,
        teacher: TeacherStage,
    ) -> None:
        self.data, self.device = recipe.data, recipe.device
        self.folder, self.queue, self.observe = folder, queue, observe
        self.teacher = teacher
        self.ready: Awaited[Signals] = Awaited()
        """The signals, once they are there."""
        teacher.facts.when(self._begin)

    def _begin(self) -> None:
        assert self.teacher.facts.value is not None
        sha256 = self.teacher.facts.value["sha256"]
        job = SignalsJob(self.teacher.kept(), sha256, self.data, self.device)
        key = signals_key(job)
        place = self.folder.signals(key)
        mine = (place / META).exists()
        if not mine and take(shared("signals", key), place) is None:
            self._compute(key, job)
            return
        signals = kept_signals(key, place / META)

        def checked(wrong: str | None) -> None:
            if wrong and mine:
                given = f"the stored teacher signals {place}"
                right = "Delete the study's folder signals/; they are computed again."
                raise UnusableTeacher(given, wrong, right)
            if wrong:
                shutil.rmtree(shared("signals", key), ignore_errors=True)
                self._compute(key, job)
                return
            if not mine:
                self.observe(Step("signals   those that another study computed of this teacher"))
            self.ready.set(signals)

        send(self.queue, job.teacher, check_signals, job, signals, then=checked)

    def _compute(self, key: str, job: SignalsJob) -> None:
        """Have all workers compute the answers, slice by slice; the last one is of validation."""
        parts = [(rows, self.data.views.count) for rows in slices(self.data)]
        parts.append((self.data.validation, 1))
        found: dict[int, NDArray[np.float32]] = {}

        def arrived(number: int, logits_VNC: NDArray[np.float32]) -> None:
            found[number] = logits_VNC
            if len(found) == len(parts):
                *train, validation = (found[number] for number in range(len(parts)))
                self._keep(key, np.concatenate(train, axis=1), validation[0].argmax(-1))

        self.observe(Started("signals", 1, self.folder.progress("signals")))
        for number, part in enumerate(parts):
            then = partial(arrived, number)
            send(self.queue, job.teacher, compute_signals, job, *part, then=then)

    def _keep(
        self, key: str, logits_VNC: NDArray[np.float32], answers_N: NDArray[np.int64]
    ) -> None:
        place = self.folder.signals(key)
        signals = Signals(
            key,
            ArrayRef.save(logits_VNC, place / "logits.npy"),
            ArrayRef.save(answers_N, place / "answers.npy"),
        )
        facts = asdict(signals) | {"passes": self.data.views.count}
        write_text(place / META, json.dumps(facts, indent=1))
        keep(place, shared("signals", key), str(self.folder.root))
        self.observe(Ended("signals"))
        views, examples, _ = logits_VNC.shape
        self.observe(Step(f"signals   the teacher's answers to {examples:,} examples, "
                          f"{views} {'pass' if views == 1 else 'passes'}"))  # fmt: skip
        self.ready.set(signals)


def kept_signals(key: str, meta: Path) -> Signals:
    """The stored signals; the JSON file `meta` in their folder describes the arrays."""
    facts = json.loads(meta.read_text())
    names = [field.name for field in fields(Signals) if field.name != "key"]
    return Signals(key, **{name: beside(meta, facts[name]) for name in names})


def beside(meta: Path, facts: dict[str, Any]) -> ArrayRef:
    """An array of a study that may have been moved: it lies beside the file that tells of it."""
    return ArrayRef.from_facts(facts | {"path": str(meta.with_name(Path(facts["path"]).name))})
