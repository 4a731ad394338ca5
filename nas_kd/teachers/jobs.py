"""The job that makes a teacher ready, and what comes out of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.transfer import TransferSet
from nas_kd.teachers.teacher import Teacher


@dataclass(frozen=True, slots=True)
class TeacherJob:
    """Make this teacher ready, on this data."""

    teacher: Teacher
    data: TransferSet
    epochs: int
    seed: int
    device: str = "cpu"
    metric: str = "accuracy"
    class_weights: tuple[float, ...] = ()
    plugins: tuple[str, ...] = ()
    threads: int = 1
    """How many may train it at once. What it learns does not depend on it."""


@dataclass(frozen=True, slots=True)
class TeacherReport:
    """A teacher that is ready, and what is known of it."""

    weights: bytes | None
    """Its state as safetensors; None of one that is a file, or known by its answers alone."""
    sha256: str
    """Hash of its state or its file; empty where its answers alone tell it."""
    answers_MC: NDArray[np.float32]
    """Its logits to the fixed rows by which it is known [M, C]."""
    accuracy: float | None
    """None where the validation examples have no labels, or it has no answers to them."""
    parameters: int | None
    """None where nobody can count them, as everywhere below."""
    macs: int | None
    activations: int | None
    seconds: float
    notes: tuple[str, ...] = ()
    """What had to be undone or converted to use it."""
