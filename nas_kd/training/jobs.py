"""What a worker is given to train, and what it gives back."""

from dataclasses import dataclass

from nas_kd.data.signals import Signals
from nas_kd.data.transfer import TransferSet
from nas_kd.students.family import StudentConfig

BATCH = 128
"""Examples of a step, where there are enough."""

LEAST_BATCH = 16
STEPS = 32
"""An epoch has at least so many steps: with fewer, students of a few epochs learn nothing."""


def default_batch(examples: int) -> int:
    """Examples of a step for a transfer set of so many: BATCH, or a smaller power of two."""
    batch = BATCH
    while batch > LEAST_BATCH and examples < STEPS * batch:
        batch //= 2
    return batch


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


@dataclass(frozen=True, slots=True)
class Member:
    """One student of a job, with what is its own."""

    trial: int
    config: StudentConfig
    temperature: float
    alpha: float
    learning_rate: float
    knowledge: str
    seed: int
    weight_decay: float = 0.01
    checkpoint: bytes | None = None


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


@dataclass(frozen=True, slots=True)
class RungResult:
    """A member at its rung: its score on the validation split, and a checkpoint unless it is at
    fault. `accuracy` is the study's metric, whichever it is."""

    trial: int
    accuracy: float
    epochs: int
    seconds: float
    checkpoint: bytes
    fault: str | None = None
