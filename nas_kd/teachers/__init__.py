"""Teachers: one kind a file, opened by name, asked, and known by their answers."""

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.origin import SPLITS
from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableTeacher
from nas_kd.registry import Registry
from nas_kd.spec.teachers import kind_of
from nas_kd.teachers.answers import ANSWERS
from nas_kd.teachers.by_path import BY_PATH
from nas_kd.teachers.ensemble import ensemble
from nas_kd.teachers.estimator_files import PICKLE, SKOPS
from nas_kd.teachers.exported import EXPORTED
from nas_kd.teachers.from_python import GIVEN_OBJECT
from nas_kd.teachers.onnx import ONNX
from nas_kd.teachers.teacher import Answerer, Teacher, TeacherKind
from nas_kd.teachers.timm import TIMM
from nas_kd.teachers.torchvision import TORCHVISION
from nas_kd.teachers.trained import TRAINED_HERE

TEACHERS: Registry[TeacherKind] = Registry(
    "teacher",
    train=TRAINED_HERE,
    module=BY_PATH,
    python=GIVEN_OBJECT,
    torchvision=TORCHVISION,
    timm=TIMM,
    onnx=ONNX,
    pt2=EXPORTED,
    skops=SKOPS,
    pickle=PICKLE,
    npz=ANSWERS,
    csv=ANSWERS,
    parquet=ANSWERS,
)
"""Kinds of teachers, by what stands before the colon of a teacher's name; `TEACHERS["mine"] = MINE`
adds one, for `--teacher mine:WHAT`. A name that begins otherwise is `module:function`."""


def kind(name: str) -> TeacherKind:
    """The kind of a teacher of this name, which is no ensemble."""
    return TEACHERS.get(kind_of(name)) or TEACHERS["module"]


def opened(teacher: Teacher, data: TransferSet, device: str = "cpu") -> Answerer:
    """A teacher, or all of an ensemble, ready to be asked. Raises UnusableTeacher."""
    found = (
        ensemble([opened(part, data, device) for part in teacher.parts])
        if teacher.parts
        else kind(teacher.target).open(teacher, data, device)
    )
    if data.views.count > 1 and not found.views:
        raise UnusableTeacher(
            f"teacher {teacher.target!r}",
            f"knows each example as it is, and the study shows {data.views.count} views of it",
            "Leave views at 1.",
        )
    if found.known_N is not None:
        expect_answers(teacher, data, found.known_N)
    return found


def expect_answers(teacher: Teacher, data: TransferSet, known_N: NDArray[np.bool_]) -> None:
    """Raise UnusableTeacher for a teacher without an answer to an example that students learn
    from."""
    first, last = data.train
    missing_N = np.flatnonzero(~known_N[first:last])
    if not len(missing_N):
        return
    some = ", ".join(data.origin.in_words(first + row) for row in missing_N[:3].tolist())
    wrong = (
        f"has no answer to {len(missing_N):,} of the {last - first:,} examples that students learn "
        f"from, such as {some}"
    )
    right = "Give it an answer to each row of the transfer set."
    if (data.origin.rows.open()[first:last, 0] == SPLITS.index("synthetic")).any():
        right = "Leave munge out: nobody but a model can answer synthetic rows."
    raise UnusableTeacher(f"teacher {teacher.target!r}", wrong, right)
