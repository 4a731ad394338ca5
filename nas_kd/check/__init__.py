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
from nas_kd.teachers.layers import Layers, kept_bytes, without_layers
from nas_kd.teachers.trained import parameters_of, untrained

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
    wanted = describe(spec, data, weights, trust)
    counts: list[int | None] = []
    layers = Layers(spec.layer_terms, spec.teacher_layer)
    kept = 0
    for teacher in wanted:
        if teacher.parts and layers.terms:
            raise without_layers(teacher.target, layers.terms)
        several = len(wanted) > 1 or bool(teacher.parts)
        trained = [part for part in teacher.parts or (teacher,) if part.kind == TRAINED]
        for part in trained:
            what = "will be trained on the data; there is nothing to check yet"
            yield Fact("teacher", f"{part.target} {what}")
            counts.append(parameters_of(part))
            if layers.terms:
                kept += kept_bytes(untrained(part, data), data, layers, part.target)
        asked = [part for part in teacher.parts if part.kind != TRAINED] if trained else [teacher]
        for part in asked:
            if several:
                yield Fact("teacher", f"{part.target}:")
            under_test = TeacherUnderTest.load(part, data)
            counts.append(under_test.answerer.parameters)
            if layers.terms:
                kept += kept_bytes(under_test.answerer, data, layers, part.target)
            yield from of_teacher(under_test)
    known = [count for count in counts if count is not None]
    whole = sum(known) if len(known) == len(counts) else None
    if layers.terms:
        what = f"the layers that {', '.join(layers.terms)} compares take {kept / 1e6:,.0f} MB"
        yield Fact("knowledge", what)
    yield from of_study(spec, data, workers, whole, kept)
