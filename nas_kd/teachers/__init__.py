"""Teachers: one kind a file, opened by name, asked, and known by their answers."""

from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableTeacher
from nas_kd.registry import Registry
from nas_kd.teachers.answers import ANSWERS
from nas_kd.teachers.by_path import BY_PATH
from nas_kd.teachers.ensemble import ensemble
from nas_kd.teachers.estimators import PICKLE, SKOPS
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


def kind(teacher: Teacher) -> TeacherKind:
    """The kind of a teacher that is no ensemble."""
    return TEACHERS.get(teacher.kind) or TEACHERS["module"]


def opened(teacher: Teacher, data: TransferSet, device: str = "cpu") -> Answerer:
    """A teacher, or all of an ensemble, ready to be asked. Raises UnusableTeacher."""
    found = (
        ensemble([opened(part, data, device) for part in teacher.parts])
        if teacher.parts
        else kind(teacher).open(teacher, data, device)
    )
    if data.views.count > 1 and not found.views:
        raise UnusableTeacher(
            f"teacher {teacher.target!r}",
            f"knows each example as it is, and the study shows {data.views.count} views of it",
            "Leave views at 1.",
        )
    return found
