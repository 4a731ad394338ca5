"""The teacher's answers, computed once a view, and checked whenever they are read again.

Suffixes: V views, N examples of the train split, C classes, B rows.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas_kd.data.arrays import ArrayRef, content
from nas_kd.data.signals import Signals, Tap
from nas_kd.data.transfer import Rows, TransferSet
from nas_kd.errors import DataNotHere, Unusable, UnusableTeacher
from nas_kd.registry import import_plugins
from nas_kd.teachers import opened
from nas_kd.teachers.asking import FIXED, PIECE, differ, expect_same, fixed_rows
from nas_kd.teachers.layers import Layers, ask_layers, chosen_layers
from nas_kd.teachers.networks import made_of
from nas_kd.teachers.teacher import Answerer, Teacher
from nas_kd.workers.reproducible import computes_as, reproducible

SLICE = 64 * PIECE
"""Examples of one job: the same for any number of workers, so that the answers are."""

CHECKED = 32
"""So many of the fixed rows are asked for again in every further view."""


@dataclass(frozen=True, slots=True)
class SignalsJob:
    """Compute the answers of this teacher on this data."""

    teacher: Teacher
    sha256: str
    """Of its state or its file; empty where its answers alone tell it."""
    answers: ArrayRef
    """Its answers to the fixed rows, by which it is known."""
    data: TransferSet
    device: str = "cpu"
    plugins: tuple[str, ...] = ()
    layers: Layers = field(default_factory=Layers)


@dataclass(frozen=True, slots=True)
class Answered:
    """A teacher's signals of some rows."""

    logits_VNC: NDArray[np.float32]
    taps: Mapping[str, tuple[Tap, ...]]
    """The layers of which a term keeps something."""
    kept: Mapping[str, tuple[NDArray[np.float32], ...]]
    """What each term keeps, [V, N, ...] each."""


def signals_key(job: SignalsJob) -> str:
    """A name for all that signals are of: the teacher's weights, what it is given and which of its
    outputs counts, the data and their views."""
    teacher = job.teacher
    expects = tuple(part.expects for part in teacher.parts) or teacher.expects
    facts: tuple[object, ...] = (teacher.identity, job.sha256, expects, job.data.key)
    if job.layers.terms:
        facts += (job.layers,)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def sharing_key(job: SignalsJob) -> str:
    """A name for all that decides the last bits of signals too. A study that goes on elsewhere
    keeps its own; another study takes them only where it would compute the same: of a teacher that
    answers the same, about rows that were read alike."""
    origin = job.data.origin
    read = (origin.rows.sha256, origin.ids and origin.ids.sha256,
            tuple(Path(path).name for _, path in origin.tables))  # fmt: skip
    facts = (signals_key(job), job.answers.sha256, read, computes_as(job.device))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def slices(data: TransferSet) -> list[Rows]:
    """The rows of the train split in pieces, each of them a job."""
    first, last = data.train
    return [(start, min(start + SLICE, last)) for start in range(first, last, SLICE)]


@reproducible()
def compute_signals(job: SignalsJob, rows: Rows, views: int) -> Answered | None:
    """The signals of these rows, one pass for each of the first views; in eval mode, without
    gradients. None where the teacher has no answers to some of them."""
    answerer = opened_again(job)
    if not answerer.knows(*rows):
        return None
    seen_as = job.data.views.table()[:views]
    taps = chosen_layers(answerer, job.data, job.layers, job.teacher.target)
    passes = [ask_layers(answerer, job.data, np.arange(*rows), how, taps) for how in seen_as]
    expect_unchanged(answerer, job.sha256)
    logits_VNC = torch.stack([logits_NC for logits_NC, _ in passes])
    kept = {
        term: tuple(map(torch.stack, zip(*(one[term] for _, one in passes), strict=True)))
        for term in taps
    }
    every = (logits_VNC, *(array_VN for arrays in kept.values() for array_VN in arrays))
    finite = [array_VN.isfinite().reshape(*array_VN.shape[:2], -1) for array_VN in every]
    finite_N = torch.stack([finite_VNX.all(-1).all(0) for finite_VNX in finite]).all(0)
    (broken_N,) = (~finite_N).numpy().nonzero()
    if len(broken_N):
        some = ", ".join(job.data.origin.in_words(rows[0] + row) for row in broken_N[:3].tolist())
        wrong = f"answers NaN or infinity to {len(broken_N):,} examples, such as {some}"
        raise UnusableTeacher(f"teacher {job.teacher.target!r}", wrong, "Look at these examples.")
    return Answered(
        logits_VNC.numpy(),
        taps,
        {term: tuple(array.numpy() for array in arrays) for term, arrays in kept.items()},
    )


def opened_again(job: SignalsJob) -> Answerer:
    """The teacher of a job. Raises UnusableTeacher for another than the job is of."""
    import_plugins(job.plugins)
    answerer = opened(job.teacher, job.data, job.device)
    expect_unchanged(answerer, job.sha256)
    return answerer


def expect_unchanged(answerer: Answerer, sha256: str) -> None:
    """Raise UnusableTeacher unless the teacher's weights, or its file, have this hash."""
    if (found := made_of(answerer)) != sha256:
        raise UnusableTeacher(
            "the teacher's weights",
            f"changed (sha256 {found[:12]}, expected {sha256[:12]})",
            "A teacher must not change itself in eval mode, nor its file during a study.",
        )


@reproducible()
def check_teacher(job: SignalsJob) -> None:
    """Raise UnusableTeacher for a teacher that is not the one that its study began with."""
    expect_same(opened_again(job), job.data, job.answers.open())


@reproducible()
def check_layers(job: SignalsJob) -> None:
    """Raise UnusableTeacher for a teacher that has not the layers which a term compares."""
    chosen_layers(opened_again(job), job.data, job.layers, job.teacher.target)


@reproducible()
def check_signals(job: SignalsJob, signals: Signals) -> tuple[str, str] | None:
    """Compare the stored signals with their hash, and the fixed rows with what the teacher answers
    now; what is wrong with them and what to do, if anything is wrong."""
    answerer = opened_again(job)
    again = "Delete the study's folder signals/; they are computed again."
    try:
        stored: NDArray[Any] = signals.logits_VNC.open()
        for array in signals.arrays:
            if content(array.open()) != array.sha256:
                return "were changed after they were written", again
    except Unusable as error:
        return f"were changed after they were written: {error.wrong}", again
    except DataNotHere as error:
        return f"are not all there: {Path(error.path).name} is missing", again
    first, last = job.data.train
    row_B = fixed_rows(answerer, job.data)
    row_B = row_B[(row_B >= first) & (row_B < last)]
    taps = chosen_layers(answerer, job.data, job.layers, job.teacher.target)
    for number, how in enumerate(job.data.views.table()):
        asked_B = row_B[:: 1 if number == 0 else max(1, FIXED // CHECKED)]
        logits_BC, features = ask_layers(answerer, job.data, asked_B, how, taps)
        if differ(logits_BC, torch.from_numpy(stored[number, asked_B - first])):
            return "are not what the teacher answers", (
                "Its file, its code, or an object in it, changed since the study began: bring it "
                "back, or search in a new folder with --study."
            )
        for kept in signals.kept:
            rows = tuple(array.open()[number, asked_B - first] for array in kept.arrays)
            now = features[kept.term]
            if len(rows) != len(now) or any(map(differ, now, map(torch.from_numpy, rows))):
                return f"are not what knowledge {kept.term} keeps of the teacher", (
                    f"The code of {kept.term} changed since: bring it back, or delete the study's "
                    "folder signals/, whose students then learned from something else."
                )
    return None
