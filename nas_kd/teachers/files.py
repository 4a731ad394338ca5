"""The file that a teacher is."""

from pathlib import Path

from nas_kd.errors import UnusableTeacher
from nas_kd.files import hashed
from nas_kd.teachers.teacher import Teacher


def file_of(teacher: Teacher) -> tuple[Path, str]:
    """Where the file of a teacher lies, and its hash. Raises UnusableTeacher."""
    path = Path(teacher.weights or teacher.target.partition(":")[2])
    try:
        return path, hashed(path)
    except OSError as error:
        wrong, right = f"cannot be read ({error.strerror})", "Name a file."
        raise UnusableTeacher(f"teacher {path}", wrong, right) from error
