"""Training: a cohort of students from one rung to the next, and what a teacher shares of it."""

from nas_kd.training.adamw import AdamW
from nas_kd.training.batches import memory_format, normaliser, tensor
from nas_kd.training.checkpoints import PROOF, weights
from nas_kd.training.cohort import build_cohort, out_of_memory, run_rung
from nas_kd.training.data_parallel import shared
from nas_kd.training.jobs import BATCH, Member, RungJob, RungResult, TrainSettings, default_batch
from nas_kd.training.loop import Schedule, answer, derive, fit, order

__all__ = [
    "BATCH",
    "PROOF",
    "AdamW",
    "Member",
    "RungJob",
    "RungResult",
    "Schedule",
    "TrainSettings",
    "answer",
    "build_cohort",
    "default_batch",
    "derive",
    "fit",
    "memory_format",
    "normaliser",
    "order",
    "out_of_memory",
    "run_rung",
    "shared",
    "tensor",
    "weights",
]
