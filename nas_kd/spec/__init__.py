"""The spec: everything that decides a value of a study."""

from nas_kd.spec.spec import StudySpec

__all__ = ["StudySpec"]
