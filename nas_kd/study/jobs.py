"""What a worker is asked to do: each job, and the file in which it says how far it is."""

from collections.abc import Callable
from pathlib import Path

from nas_kd.teachers.loading import TeacherReport
from nas_kd.teachers.making import TeacherJob, make_teacher
from nas_kd.training import RungJob, RungResult, run_rung


def counter(path: Path) -> Callable[[], None]:
    """A function that makes the file a byte longer. It is for the eye: a failure is let pass."""

    def count() -> None:
        try:
            with path.open("ab") as file:
                file.write(b".")
        except OSError:
            pass

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    except OSError:
        pass
    return count


def train_students(job: RungJob, progress: Path) -> tuple[RungResult, ...]:
    """Train a cohort to its rung, counting epochs in `progress`."""
    return run_rung(job, counter(progress))


def ready_teacher(job: TeacherJob, progress: Path) -> TeacherReport:
    """Make a teacher ready, counting epochs in `progress`."""
    return make_teacher(job, counter(progress))
