"""What a worker is asked to do: each job, and the file in which it says how far it is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from nas_kd.teachers.jobs import TeacherJob, TeacherReport
from nas_kd.teachers.making import make_teacher
from nas_kd.teachers.teacher import Teacher
from nas_kd.training import RungJob, RungResult, run_rung
from nas_kd.workers.job_queue import JobQueue

T = TypeVar("T")


def counter(path: Path) -> Callable[[], None]:
    """A function that makes the file a byte longer. Display only; write errors are ignored."""

    def count() -> None:
        try:
            with path.open("ab") as file:
                file.write(b".")
        except OSError:
            pass

    try:
        path.parent.mkdir(exist_ok=True)  # a study that was moved is not made again here
        path.unlink(missing_ok=True)
    except OSError:
        pass
    return count


def train_students(
    job: RungJob, further: Sequence[int], progress: Path
) -> tuple[tuple[RungResult, ...], ...]:
    """Train a cohort to its rung and to the further ones, counting epochs in `progress`.

    The results of each rung; members at fault are left out of the next one's.
    """
    count = counter(progress)
    results = [run_rung(job, count)]
    for stop in further:
        pairs = zip(job.members, results[-1], strict=True)
        left = tuple(replace(m, checkpoint=r.checkpoint) for m, r in pairs if r.fault is None)
        if not left:
            break
        job = replace(job, members=left, start=job.stop, stop=stop)
        results.append(run_rung(job, count))
    return tuple(results)


def ready_teacher(job: TeacherJob, progress: Path) -> TeacherReport:
    """Make a teacher ready, counting epochs in `progress`."""
    return make_teacher(job, counter(progress))


def by_teacher(
    queue: JobQueue, teacher: Teacher, job: Callable[..., T], parts: Sequence[tuple[Any, ...]]
) -> list[T]:
    """What a job of a teacher gives for each part of its arguments, in order, by all workers; a
    teacher that was given from Python works in this process alone."""
    if teacher.here:
        return [job(*part) for part in parts]
    found: dict[int, T] = {}
    for number, part in enumerate(parts):
        queue.submit(job, *part, then=partial(found.__setitem__, number))
    queue.run_until(lambda: len(found) == len(parts))
    return [found[number] for number in range(len(parts))]
