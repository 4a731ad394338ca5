"""What a worker is given to train, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.signals import Signals
from nas_kd.data.transfer import Rows, TransferSet
from nas_kd.students.family import Option, StudentConfig
from nas_kd.training.checkpoints import answers

BATCH = 128
"""Examples of a step, where there are enough."""

LEAST_BATCH = 16
LEAST_STEPS = 32
"""An epoch has at least so many steps: with fewer, students of a few epochs learn nothing."""


def default_batch(examples: int) -> int:
    """Examples of a step for a transfer set of so many: BATCH, or a smaller power of two."""
    batch = BATCH
    while batch > LEAST_BATCH and examples < LEAST_STEPS * batch:
        batch //= 2
    return batch


EPOCHS = 10
"""Epochs of a student, where there are enough examples."""

STEPS = 800
MOST_EPOCHS = 100
"""Students of few examples train for so many steps, but no more epochs (studies/own-data)."""


def student_epochs(examples: int, batch: int) -> int:
    """Epochs of a student on so many examples: EPOCHS, or more up to STEPS steps."""
    steps = -(-examples // batch)
    return max(EPOCHS, min(MOST_EPOCHS, -(-STEPS // steps)))


def default_rungs(epochs: int) -> tuple[int, ...]:
    """Epochs at which trials are compared: after one, three and six tenths of the training."""
    return tuple(sorted({r for tenths in (1, 3, 6) if (r := ceil(tenths * epochs / 10)) < epochs}))


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """What all students of a study share."""

    epochs: int
    batch: int
    scheme: str = "offline"
    plugins: tuple[str, ...] = ()
    device: str = "cpu"
    metric: str = "accuracy"
    class_weights: tuple[float, ...] = ()
    """A weight of the hard loss for each class; none is one for all."""
    peers: int = 2
    """The networks of the scheme `online`, the student counted."""
    qat: bool = False
    """Whether students of 8 bits train with rounded weights and activations."""
    co_teacher: StudentConfig | None = None
    """The larger network of the scheme `co_teacher`."""


@dataclass(frozen=True, slots=True)
class Member:
    """One student of a job, with what is its own."""

    trial: int
    config: StudentConfig
    settings: Mapping[str, Option]
    """Its value of every setting; the trainer, terms and schemes read theirs by name."""
    seed: int
    weight_decay: float = 0.01
    checkpoint: bytes | None = None
    start: str | None = None
    """The file of the teacher's weights, of a student that starts from them."""


@dataclass(frozen=True, slots=True)
class RungJob:
    """Train these members, in one network if they are several, through the epochs [start, stop)."""

    members: tuple[Member, ...]
    data: TransferSet
    signals: Signals | None
    settings: TrainSettings
    order_seed: int
    start: int
    stop: int
    judged: Rows
    """The rows on which the members are scored: of the validation split, unless a finished study
    is confirmed."""


@dataclass(frozen=True, slots=True)
class RungResult:
    """A member at its rung: its score on the judged rows, and a checkpoint unless it is at fault.
    `accuracy` is the study's metric, whichever it is."""

    trial: int
    accuracy: float
    epochs: int
    seconds: float
    checkpoint: bytes
    fault: str | None = None

    @property
    def answers(self) -> NDArray[np.uint16]:
        """The top-5 classes [N, 5] of each example that the student is scored on, best first.

        There are fewer columns if the data have fewer than five classes.
        """
        return answers(self.checkpoint)
