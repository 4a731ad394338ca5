"""The teacher's signals: computed once, kept in the study's folder, checked on resume."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.arrays import ArrayRef
from nas_kd.data.signals import Kept, Signals
from nas_kd.data.source import UNLABELLED
from nas_kd.data.transfer import size
from nas_kd.driver.context import StageContext
from nas_kd.driver.events import Ended, Started, Step
from nas_kd.driver.jobs import by_teacher
from nas_kd.driver.teacher_folder import places, signals_job
from nas_kd.errors import UnusableStudy, UnusableTeacher
from nas_kd.files import write_text
from nas_kd.records import read_record
from nas_kd.spec.teachers import TRAINED
from nas_kd.study.sharing import cached, share, take
from nas_kd.teachers.doubts import doubts
from nas_kd.teachers.layers import Layers, chosen_layers, without_layers
from nas_kd.teachers.signals import (
    Answered,
    SignalsJob,
    check_layers,
    check_signals,
    compute_signals,
    sharing_key,
    signals_key,
    slices,
)
from nas_kd.teachers.teacher import Teacher
from nas_kd.teachers.trained import untrained
from nas_kd.training import tensor
from nas_kd.training.recipe import Recipe

META = "meta.json"


def expect_layers(stage: StageContext, wanted: Sequence[Teacher]) -> None:
    """Raise UnusableTeacher for a teacher that has not the layers which a term compares. One that
    is still to be trained has those that it will have."""
    spec, data = stage.spec, stage.recipe.data
    if not spec.layer_terms:
        return
    for teacher, place in zip(wanted, places(stage.folder, len(wanted)), strict=True):
        if teacher.parts:
            raise without_layers(teacher.target, spec.layer_terms)
        if teacher.kind == TRAINED:
            layers = Layers(spec.layer_terms, spec.teacher_layer)
            chosen_layers(untrained(teacher, data), data, layers, teacher.target)
        else:
            job = signals_job(stage.recipe, teacher, place)
            by_teacher(stage.queue, job.teacher, check_layers, [(job,)])


def bring_all(stage: StageContext, wanted: Sequence[Teacher]) -> dict[str, Signals]:
    """The signals of each teacher of a study, by its name. Raises UnusableTeacher."""
    found = {}
    for teacher, place in zip(wanted, places(stage.folder, len(wanted)), strict=True):
        found[teacher.target] = bring_signals(stage, signals_job(stage.recipe, teacher, place))
        say_fit(stage, teacher, found[teacher.target])
    return found


def teacher_answers(recipe: Recipe, signals: Mapping[str, Signals]) -> NDArray[np.int64]:
    """The classes [N] that the one teacher gives to the validation examples. Raises
    UnusableTeacher where it has no answers to them."""
    (only,) = signals.values()
    if only.answers_N is None:
        wrong = "has no answers to the validation examples, and students are compared with those"
        right = "Add the rows of the validation and test splits."
        raise UnusableTeacher(f"teacher {recipe.spec.teacher[0]!r}", wrong, right)
    found: NDArray[np.int64] = only.answers_N.open()
    return found


def say_fit(stage: StageContext, teacher: Teacher, signals: Signals) -> None:
    """Say what is wrong with a teacher's answers to the train split."""
    data = stage.recipe.data
    labels = tensor(data.labels)
    validation = None
    if signals.answers_N is not None and (labels[slice(*data.validation)] != UNLABELLED).all():
        right_N = tensor(signals.answers_N) == labels[slice(*data.validation)]
        validation = float(right_N.double().mean())
    train_NC = tensor(signals.logits_VNC)[0]
    found = doubts(train_NC, labels[slice(*data.train)], validation, size(data.validation))
    for wrong, mend in found:
        stage.observe(Step(f"teacher   {teacher.target} {wrong}. {mend}"))


def bring_signals(stage: StageContext, job: SignalsJob) -> Signals:
    """The signals of a teacher: the study's own, those that another study computed, or computed
    now. Raises UnusableTeacher for own ones that were changed."""
    teacher, key = job.teacher, signals_key(job)
    place, kept = stage.folder.signals(key), cached("signals", sharing_key(job))
    mine, shared = (place / META).exists(), bool(job.sha256)  # answers to a few rows are no hash
    if mine or (shared and take(kept, place)):
        signals = stored_signals(place)
        (wrong,) = by_teacher(stage.queue, teacher, check_signals, [(job, signals)])
        if wrong and mine:
            raise UnusableTeacher(f"the stored teacher signals {place}", *wrong)
        if not wrong:
            if not mine:
                stage.observe(Step("signals   those that another study computed of this teacher"))
            return signals
        shutil.rmtree(kept, ignore_errors=True)
        (place / META).unlink()
    signals = computed(stage, job, place, key)
    if shared:
        share(place, kept, str(stage.folder.root))
    return signals


def computed(stage: StageContext, job: SignalsJob, place: Path, key: str) -> Signals:
    """Have all workers compute the answers, slice by slice, and keep them."""
    data = job.data
    stage.observe(Started("signals", 1, stage.folder.progress("signals")))
    parts = [(job, rows, data.views.count) for rows in slices(data)]
    parts.append((replace(job, layers=Layers()), data.validation, 1))
    *train, validation = by_teacher(stage.queue, job.teacher, compute_signals, parts)
    pieces = [piece for piece in train if piece is not None]
    logits_VNC = np.concatenate([piece.logits_VNC for piece in pieces], axis=1)
    answers = None if validation is None else ArrayRef.save(
        validation.logits_VNC[0].argmax(-1), place / "answers.npy"
    )  # fmt: skip
    kept = tuple(kept_of(term, pieces, place) for term in job.layers.terms)
    signals = Signals(key, ArrayRef.save(logits_VNC, place / "logits.npy"), answers, kept)
    facts = asdict(signals) | {"passes": data.views.count}
    write_text(place / META, json.dumps(facts, indent=1))
    stage.observe(Ended("signals"))
    views, examples, _ = logits_VNC.shape
    stage.observe(Step(f"signals   the teacher's answers to {examples:,} examples, "
                       f"{views} {'pass' if views == 1 else 'passes'}"))  # fmt: skip
    for one in kept:
        names, size_of = ", ".join(tap.name for tap in one.taps), kept_megabytes(one)
        stage.observe(Step(f"signals   for {one.term}: {size_of:,.0f} MB of the layers {names}"))
    return signals


def kept_of(term: str, pieces: Sequence[Answered], place: Path) -> Kept:
    """What a term keeps of the teacher's layers, all pieces of it, stored."""
    every = zip(*(piece.kept[term] for piece in pieces), strict=True)
    arrays = tuple(
        ArrayRef.save(np.concatenate(parts, axis=1), place / f"{term}-{number}.npy")
        for number, parts in enumerate(every)
    )
    return Kept(term, pieces[0].taps[term], arrays)


def kept_megabytes(kept: Kept) -> float:
    """The size of what is kept."""
    return sum(array.open().nbytes for array in kept.arrays) / 1e6


def stored_signals(place: Path) -> Signals:
    """The signals that are stored in a folder, which may have been moved: the arrays lie beside the
    file that tells of them. Raises UnusableStudy for a file of something else."""
    right = "Delete the study's folder signals/; they are computed again."
    told = read_record(Signals, place / META, right, UnusableStudy)
    answers = told.answers_N and beside(place, told.answers_N)
    kept = tuple(replace(one, arrays=tuple(beside(place, array) for array in one.arrays))
                 for one in told.kept)  # fmt: skip
    return Signals(place.name, beside(place, told.logits_VNC), answers, kept)


def beside(place: Path, array: ArrayRef) -> ArrayRef:
    """An array in this folder."""
    return replace(array, path=str(place / Path(array.path).name))
