"""The teacher's answers, computed once a view, and checked whenever they are read again.

Suffixes: V views, N examples of the train split, C classes, B rows, H and W pixels.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas_kd.data.arrays import content
from nas_kd.data.signals import Signals
from nas_kd.data.transfer import Rows, TransferSet
from nas_kd.data.views import View, view
from nas_kd.errors import Unusable, UnusableTeacher
from nas_kd.teachers.loading import Teacher, fingerprint, load
from nas_kd.training import normaliser, tensor
from nas_kd.workers.reproducible import computes_as, reproducible

PIECE = 128
"""Examples that a teacher answers at once: half the time of 512, whose activations fit no cache."""

SLICE = 64 * PIECE
"""Examples of one job: the same for any number of workers, so that the answers are."""

CHECKED = 32
"""Rows that are computed again when signals are read from disk."""


@dataclass(frozen=True, slots=True)
class SignalsJob:
    """Compute the answers of this teacher, whose weights have this hash, on this data."""

    teacher: Teacher
    sha256: str
    data: TransferSet
    device: str = "cpu"


def signals_key(job: SignalsJob) -> str:
    """A name for all that signals are of: the teacher's weights, what it is given and which of its
    outputs counts, the data and their views."""
    facts = (job.teacher.target, job.sha256, job.teacher.expects, job.data.key)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def sharing_key(job: SignalsJob) -> str:
    """A name for all that decides the last bits of signals too. A study that goes on elsewhere
    keeps its own; another study takes them only where it would compute the same."""
    facts = (signals_key(job), computes_as(job.device))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def slices(data: TransferSet) -> list[Rows]:
    """The rows of the train split in pieces, each of them a job."""
    first, last = data.train
    return [(start, min(start + SLICE, last)) for start in range(first, last, SLICE)]


@reproducible()
def compute_signals(job: SignalsJob, rows: Rows, views: int) -> NDArray[np.float32]:
    """Logits [V, N, C] of these rows, one pass for each of the first views; in eval mode, without
    gradients."""
    network = load(job.teacher).to(job.device)
    expect(network, job.sha256)
    examples_NX = tensor(job.data.examples)[slice(*rows)]
    seen_as = job.data.views.table()[:views]
    logits_VNC = [respond(network, job.data, examples_NX, how, job.device) for how in seen_as]
    expect(network, job.sha256)
    return torch.stack(logits_VNC).numpy()


@torch.inference_mode()
def respond(
    network: nn.Module, data: TransferSet, examples_BX: Tensor, how: View, device: str
) -> Tensor:
    """The network's logits [B, C] to examples in a view."""
    normalise = normaliser(data, device=torch.device(device))
    pieces = (view(piece, how).to(device) for piece in examples_BX.split(PIECE))
    return torch.cat([network(normalise(piece)).float() for piece in pieces]).cpu()


def expect(network: nn.Module, sha256: str) -> None:
    """Raise UnusableTeacher unless the network's weights and buffers have this hash."""
    if (found := fingerprint(network)) != sha256:
        raise UnusableTeacher(
            "the teacher's weights",
            f"changed (sha256 {found[:12]}, expected {sha256[:12]})",
            "A teacher must not change itself in eval mode, nor its file during a study.",
        )


@reproducible()
def check_signals(job: SignalsJob, signals: Signals) -> tuple[str, str] | None:
    """Compare the stored signals with their hash, and a few random rows with what the teacher
    answers now; what is wrong with them and what to do, if anything is wrong."""
    network = load(job.teacher).to(job.device)
    expect(network, job.sha256)
    again = "Delete the study's folder signals/; they are computed again."
    try:
        stored: NDArray[Any] = signals.logits_VNC.open()
        for array in (signals.logits_VNC, signals.answers_N):
            if content(array.open()) != array.sha256:
                return "were changed after they were written", again
    except Unusable as error:
        return f"were changed after they were written: {error.wrong}", again
    generator = np.random.default_rng(int(signals.key, 16) % 2**32)
    row_B = np.sort(generator.integers(0, stored.shape[1], CHECKED))
    examples_NX = tensor(job.data.examples)[slice(*job.data.train)]
    for number, how in enumerate(job.data.views.table()):
        again_BC = respond(network, job.data, examples_NX[row_B], how, job.device).numpy()
        if not np.allclose(again_BC, stored[number, row_B], rtol=1e-3, atol=1e-3):
            return "are not what the teacher answers", (
                "Its code, or an object in it, changed since the study began: bring it back, or "
                "search in a new folder with --study."
            )
    return None
