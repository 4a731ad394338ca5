"""How a study is run. None of it decides a value, so all of it may change on resume."""

import os
from dataclasses import dataclass
from pathlib import Path


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Where the study lies, where its data come from, and what trains its students."""

    folder: Path
    workers: int
    """Worker processes; 0 trains in the driver's process."""
    data_root: Path = Path("data")
    teacher_weights: Path | None = None
    seconds: float | None = None
    """No generation starts after so long."""
    job_limit: float = 3600.0
    """A job that takes longer is taken from its worker and given to another."""
