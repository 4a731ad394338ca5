"""A doctor for the user's teacher, data and budget, before any trial."""

from collections.abc import Iterator
from pathlib import Path

from nas_kd.check.examples import of_examples
from nas_kd.check.finding import Fact, Finding
from nas_kd.check.study import of_study
from nas_kd.check.teacher import TeacherUnderTest, of_teacher
from nas_kd.data import source_of
from nas_kd.data.transfer import prepare
from nas_kd.driver.teacher_stage import require_named_teacher
from nas_kd.spec import StudySpec
from nas_kd.teachers.loading import TRAINED

__all__ = ["Fact", "Finding", "check"]


def check(
    spec: StudySpec, data_root: Path, weights: Path | None, workers: int
) -> Iterator[Fact | Finding]:
    """What is known and what is wrong, as it is found.

    Raises NasKDError for what keeps a search from being checked at all.
    """
    request = spec.request(data_root)
    data = prepare(spec.data, source_of(spec.data), request, spec.split_seed, spec.views)
    yield from of_examples(data)
    require_named_teacher(spec, weights)
    teacher = None if spec.teacher == TRAINED else TeacherUnderTest.load(spec, data, weights)
    if teacher is None:
        yield Fact("teacher", "one will be trained on the data; there is nothing to check yet")
    else:
        yield from of_teacher(teacher)
    yield from of_study(spec, data, workers, teacher.parameters if teacher else None)
