"""The teacher of a package, where its study is at hand: it answers what the student answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nas_kd.driver.teacher_stage import as_kept, describe, known
from nas_kd.errors import UnusableStudy, UnusableTeacher
from nas_kd.package.load import Student
from nas_kd.spec import StudySpec
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
            kept, spec = known(folder), folder.read_spec()
            told = (target, facts["teacher"]["sha256"])
            if kept and (spec.teacher, kept["sha256"]) == told == (kept["target"], told[1]):
                return network_of(folder, spec, kept, student)
            return "its study has another teacher, or none any more"
        except (UnusableStudy, UnusableTeacher) as error:
            return f"it cannot be loaded ({error})"
    return "the package does not lie in its study's folder"


def network_of(
    folder: StudyFolder, spec: StudySpec, kept: dict[str, Any], student: Student
) -> Student:
    """A study's teacher. Raises UnusableStudy, UnusableTeacher."""
    weights = Path(kept["weights"]) if kept["weights"] else None
    data = folder.read_data()
    teacher = as_kept(folder, describe(spec, data, weights), kept)
    return Student(load(teacher), data.mean, data.std, student.shape).eval()
