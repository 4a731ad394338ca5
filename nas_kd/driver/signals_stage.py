"""The teacher's signals: computed once, kept in the study's folder, checked on resume."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.arrays import ArrayRef
from nas_kd.data.signals import Signals
from nas_kd.driver.context import StageContext
from nas_kd.driver.events import Ended, Started, Step
from nas_kd.driver.jobs import by_teacher
from nas_kd.errors import UnusableStudy, UnusableTeacher
from nas_kd.files import write_text
from nas_kd.records import read_record
from nas_kd.study.sharing import cached, share, take
from nas_kd.teachers.loading import Teacher
from nas_kd.teachers.signals import (
    SignalsJob,
    check_signals,
    compute_signals,
    sharing_key,
    signals_key,
    slices,
)

META = "meta.json"


def bring_signals(stage: StageContext, teacher: Teacher, sha256: str) -> Signals:
    """The signals of a teacher whose weights have this hash: the study's own, those that another
    study computed, or computed now. Raises UnusableTeacher for own ones that were changed."""
    job = SignalsJob(teacher, sha256, stage.recipe.data, stage.recipe.device)
    key = signals_key(job)
    place, kept = stage.folder.signals(key), cached("signals", sharing_key(job))
    mine = (place / META).exists()
    if mine or take(kept, place):
        signals = stored_signals(place)
        (wrong,) = by_teacher(stage.queue, teacher, check_signals, [(job, signals)])
        if wrong and mine:
            raise UnusableTeacher(f"the stored teacher signals {place}", *wrong)
        if not wrong:
            if not mine:
                stage.observe(Step("signals   those that another study computed of this teacher"))
            return signals
        shutil.rmtree(kept, ignore_errors=True)
    signals = computed(stage, job, place, key)
    share(place, kept, str(stage.folder.root))
    return signals


def computed(stage: StageContext, job: SignalsJob, place: Path, key: str) -> Signals:
    """Have all workers compute the answers, slice by slice, and keep them."""
    data = job.data
    stage.observe(Started("signals", 1, stage.folder.progress("signals")))
    parts = [(job, rows, data.views.count) for rows in slices(data)]
    parts.append((job, data.validation, 1))
    *train, (validation_NC,) = by_teacher(stage.queue, job.teacher, compute_signals, parts)
    logits_VNC: NDArray[np.float32] = np.concatenate(train, axis=1)
    signals = Signals(
        key,
        ArrayRef.save(logits_VNC, place / "logits.npy"),
        ArrayRef.save(validation_NC.argmax(-1), place / "answers.npy"),
    )
    facts = asdict(signals) | {"passes": data.views.count}
    write_text(place / META, json.dumps(facts, indent=1))
    stage.observe(Ended("signals"))
    views, examples, _ = logits_VNC.shape
    stage.observe(Step(f"signals   the teacher's answers to {examples:,} examples, "
                       f"{views} {'pass' if views == 1 else 'passes'}"))  # fmt: skip
    return signals


def stored_signals(place: Path) -> Signals:
    """The signals that are stored in a folder, which may have been moved: the arrays lie beside the
    file that tells of them. Raises UnusableStudy for a file of something else."""
    right = "Delete the study's folder signals/; they are computed again."
    told = read_record(Signals, place / META, right, UnusableStudy)
    return Signals(place.name, beside(place, told.logits_VNC), beside(place, told.answers_N))


def beside(place: Path, array: ArrayRef) -> ArrayRef:
    """An array in this folder."""
    return replace(array, path=str(place / Path(array.path).name))
