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
from nas_kd.driver.context import Stage
from nas_kd.driver.events import Ended, Started, Step
from nas_kd.errors import UnusableTeacher
from nas_kd.files import write_text
from nas_kd.study.sharing import keep, shared, take
from nas_kd.teachers.loading import FROM_PYTHON, Teacher
from nas_kd.teachers.signals import SignalsJob, check_signals, compute_signals, signals_key, slices

META = "meta.json"


def bring_signals(stage: Stage, teacher: Teacher, sha256: str) -> Signals:
    """The signals of a teacher whose weights have this hash: the study's own, those that another
    study computed, or computed now. Raises UnusableTeacher for own ones that were changed."""
    job = SignalsJob(teacher, sha256, stage.recipe.data, stage.recipe.device)
    key = signals_key(job)
    place, kept = stage.folder.signals(key), shared("signals", key)
    mine = (place / META).exists()
    if mine or take(kept, place):
        signals = stored_signals(key, place)
        (wrong,) = asked(stage, job, check_signals, [(signals,)])
        if wrong and mine:
            right = "Delete the study's folder signals/; they are computed again."
            raise UnusableTeacher(f"the stored teacher signals {place}", wrong, right)
        if not wrong:
            if not mine:
                stage.observe(Step("signals   those that another study computed of this teacher"))
            return signals
        shutil.rmtree(kept, ignore_errors=True)
    signals = computed(stage, job, place, key)
    keep(place, kept, str(stage.folder.root))
    return signals


def computed(stage: Stage, job: SignalsJob, place: Path, key: str) -> Signals:
    """Have all workers compute the answers, slice by slice, and keep them."""
    data = job.data
    stage.observe(Started("signals", 1, stage.folder.progress("signals")))
    parts = [(rows, data.views.count) for rows in slices(data)]
    *train, (validation_NC,) = asked(stage, job, compute_signals, [*parts, (data.validation, 1)])
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


def asked(stage: Stage, job: SignalsJob, what: Any, parts: list[tuple[Any, ...]]) -> list[Any]:
    """What each part of a teacher's work gives, in order; an object works in this process alone."""
    if job.teacher.target.startswith(FROM_PYTHON):
        return [what(job, *part) for part in parts]
    found: dict[int, Any] = {}
    for number, part in enumerate(parts):
        stage.queue.submit(what, job, *part, then=partial(found.__setitem__, number))
    stage.queue.run_until(lambda: len(found) == len(parts))
    return [found[number] for number in range(len(parts))]


def stored_signals(key: str, place: Path) -> Signals:
    """The signals that are stored in a folder, which may have been moved: the arrays lie beside the
    file that tells of them."""
    facts = json.loads((place / META).read_text())
    names = [field.name for field in fields(Signals) if field.name != "key"]
    return Signals(key, **{name: beside(place, facts[name]) for name in names})


def beside(place: Path, facts: dict[str, Any]) -> ArrayRef:
    """An array in this folder."""
    return ArrayRef.from_facts(facts | {"path": str(place / Path(facts["path"]).name)})
