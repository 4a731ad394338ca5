"""The teacher of a package, where its study is at hand: it answers what the student answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nas_kd.driver.teacher_stage import as_kept, describe, known
from nas_kd.errors import UnusableStudy, UnusableTeacher
from nas_kd.package.load import Student
from nas_kd.spec.trust import code_named
from nas_kd.study.folder import StudyFolder
from nas_kd.teachers.loading import FROM_PYTHON, GIVEN, load


def teacher_of(
    facts: Mapping[str, Any], studies: Sequence[Path], student: Student, trust: bool
) -> Student | str:
    """The teacher as a network that takes examples as they are stored, or why it is not asked."""
    target = facts["teacher"]["target"]
    if target.startswith(FROM_PYTHON) and target not in GIVEN:
        return "it was given from Python, in another process"
    if code_named({"teacher": target}) and not trust:
        return f"{target} is code that is imported with --trust"
    for study in studies:
        folder = StudyFolder(study)
        try:
            kept = known(folder)
            if kept and kept["sha256"] == facts["teacher"]["sha256"]:
                return network_of(folder, kept, student)
        except (UnusableStudy, UnusableTeacher) as error:
            return f"it cannot be loaded ({error})"
    return "the package does not lie in its study's folder"


def network_of(folder: StudyFolder, kept: dict[str, Any], student: Student) -> Student:
    """A study's teacher. Raises UnusableStudy, UnusableTeacher."""
    weights = Path(kept["weights"]) if kept["weights"] else None
    data = folder.read_data()
    teacher = as_kept(folder, describe(folder.read_spec(), data, weights), kept)
    return Student(load(teacher), data.mean, data.std, student.shape).eval()
