"""A doctor for the user's teacher, data and budget, before any trial."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from nas_kd.check.examples import of_examples
from nas_kd.check.finding import Fact, Finding
from nas_kd.check.study import of_study
from nas_kd.check.teacher import TeacherUnderTest, of_teacher
from nas_kd.data import source_of
from nas_kd.data.transfer import prepare
from nas_kd.driver.teacher_names import describe
from nas_kd.spec import StudySpec
from nas_kd.spec.teachers import TRAINED

__all__ = ["Fact", "Finding", "check"]


def check(
    spec: StudySpec, data_root: Path, weights: Sequence[Path], workers: int, trust: bool = False
) -> Iterator[Fact | Finding]:
    """What is known and what is wrong, as it is found.

    Raises NasKDError for what keeps a search from being checked at all.
    """
    request = spec.request(data_root)
    data = prepare(spec.data, source_of(spec.data), request, spec.split_seed, spec.views)
    yield from of_examples(data)
    counts = []
    for teacher in describe(spec, data, weights, trust):
        if any(part.kind == TRAINED for part in (teacher, *teacher.parts)):
            what = "will be trained on the data; there is nothing to check yet"
            yield Fact("teacher", f"{teacher.target} {what}")
            continue
        asked = TeacherUnderTest.load(teacher, data)
        counts.append(asked.answerer.parameters)
        yield from of_teacher(asked)
    yield from of_study(spec, data, workers, counts[0] if counts else None)
