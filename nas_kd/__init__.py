"""nas-kd: the best small network for a budget, found by distilling every candidate.

Public names are imported on first use, so that `import nas_kd` does not load torch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas_kd.api import Study as Study
    from nas_kd.api import search as search
    from nas_kd.costs.budgets import parse_budgets as parse_budgets
    from nas_kd.data import SOURCES as SOURCES
    from nas_kd.errors import NasKDError as NasKDError
    from nas_kd.knowledge import KNOWLEDGE as KNOWLEDGE
    from nas_kd.package.load import load_student as load_student
    from nas_kd.schemes import SCHEMES as SCHEMES
    from nas_kd.spec import StudySpec as StudySpec
    from nas_kd.spec.settings import SETTINGS as SETTINGS
    from nas_kd.students import FAMILIES as FAMILIES
    from nas_kd.students.by_path import Widths as Widths
    from nas_kd.students.decode import decode as decode
    from nas_kd.teachers import TEACHERS as TEACHERS
    from nas_kd.teachers.teacher import Answerer as Answerer
    from nas_kd.teachers.teacher import TeacherKind as TeacherKind

__version__ = version("nas-kd")

PUBLIC = {
    "Answerer": "nas_kd.teachers.teacher",
    "FAMILIES": "nas_kd.students",
    "KNOWLEDGE": "nas_kd.knowledge",
    "NasKDError": "nas_kd.errors",
    "SCHEMES": "nas_kd.schemes",
    "SETTINGS": "nas_kd.spec.settings",
    "SOURCES": "nas_kd.data",
    "Study": "nas_kd.api",
    "StudySpec": "nas_kd.spec.spec",
    "TEACHERS": "nas_kd.teachers",
    "TeacherKind": "nas_kd.teachers.teacher",
    "Widths": "nas_kd.students.by_path",
    "decode": "nas_kd.students.decode",
    "load_student": "nas_kd.package.load",
    "parse_budgets": "nas_kd.costs.budgets",
    "search": "nas_kd.api",
}
"""Every public name and where it is."""

__all__ = sorted(PUBLIC)


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(import_module(PUBLIC[name]), name)
    raise AttributeError(f"module 'nas_kd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
