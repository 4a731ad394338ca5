"""The first stage of a search: the data, prepared, and on resume the same as before."""

from collections.abc import Callable
from pathlib import Path

from nas_kd.data import source_of
from nas_kd.data.classes import doubts
from nas_kd.data.transfer import TransferSet, prepare, shape_in_words, size
from nas_kd.driver.events import Observe, Step
from nas_kd.driver.options import MUCH, RunOptions
from nas_kd.driver.teacher_folder import all_ready, expect_same_teachers
from nas_kd.driver.teacher_names import describe, require_named_teacher
from nas_kd.driver.teacher_stage import judged
from nas_kd.errors import SpecDiffers, Unusable, UnusableData
from nas_kd.spec import StudySpec
from nas_kd.study.folder import StudyFolder
from nas_kd.training.recipe import Recipe


def prepared(
    spec: StudySpec, options: RunOptions, folder: StudyFolder, observe: Observe
) -> TransferSet:
    """Prepare the data and report their size.

    Raises SpecDiffers if a resumed study began with other data.
    """
    data = same_data(spec, options, folder, lambda text: observe(Step(f"data      {text}")))
    observe(Step(
        f"data      {data.name}: {size(data.train):,} for the students, "
        f"{size(data.validation):,} validation, {size(data.test):,} test; "
        f"{shape_in_words(data.input_shape)}, {len(data.classes)} classes"
    ))  # fmt: skip
    if judged(spec.metric, data)[0] > 1 - 1e-9:
        wrong = f"is always right where there are {len(data.classes)} classes"
        raise Unusable(f"metric {spec.metric!r}", wrong, "Leave --metric out: accuracy.")
    expect_room(data, options.large)
    for about, wrong, mend in doubts(data):
        observe(Step(f"{about:<9} {wrong}. {mend}"))
    return data


def same_data(
    spec: StudySpec, options: RunOptions, folder: StudyFolder, tell: Callable[[str], None]
) -> TransferSet:
    """The data, prepared. Raises SpecDiffers if the folder has a study of others."""
    request = spec.request(options.data_root, tell)
    data = prepare(spec.data, source_of(spec.data), request, spec.split_seed, spec.views)
    if folder.spec.exists():
        kept = folder.read_data()
        if kept.key != data.key:
            change = f"data: content {kept.key[:12]} there, {data.key[:12]} now"
            raise SpecDiffers(str(folder.root), (change,))
    return data


def expect_unchanged(spec: StudySpec, options: RunOptions, folder: StudyFolder) -> None:
    """Raise SpecDiffers or UnusableTeacher where a finished study is asked for with other data, of
    a source whose content may change, or with a teacher that is another one, or answers otherwise.
    A finished study needs no teacher, so absent files are not checked."""
    data = folder.read_data()
    if not source_of(spec.data).fixed or not isinstance(spec.unlabelled, int):
        try:
            data = same_data(spec, options, folder, lambda text: None)
        except UnusableData:
            if folder.read_spec().data != spec.data:
                raise
    require_named_teacher(spec, options.teacher_weights)
    if all_ready(folder, len(spec.teacher)) and all(Path(path).exists() for path in data.files):
        wanted = describe(spec, data, options.teacher_weights, options.trust)
        expect_same_teachers(Recipe(spec, data), folder, wanted)


def expect_room(data: TransferSet, meant: bool) -> None:
    """Raise Unusable for a study whose arrays and signals take much, unless that is meant."""
    examples = data.examples.open().nbytes
    signals = 4 * data.views.count * size(data.train) * len(data.classes)
    if examples + signals > MUCH and not meant:
        wrong = f"takes {examples / 1e9:.1f} GB of examples and {signals / 1e9:.1f} GB of signals"
        raise Unusable("the study", wrong, "Say --yes if that is meant, or take fewer --views.")
