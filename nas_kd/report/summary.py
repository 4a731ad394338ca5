"""The closing table as data: the teacher, the found student, and what it must beat."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from nas_kd.intervals import gain, interval
from nas_kd.knowledge.objective import additive_weight
from nas_kd.report.verdict import verdict_of
from nas_kd.spec.settings import settings_in_words
from nas_kd.spec.teachers import TRAINED, kind_of, short_name
from nas_kd.students.family import StudentConfig
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView

TEACHER = "teacher"
"""What the line of a teacher is called."""


@dataclass(frozen=True, slots=True)
class Line:
    """One network of the closing table."""

    name: str
    label: str
    parameters: int | None
    """None of a teacher whose parameters nobody can count."""
    cost: int | None
    """None of a teacher where the cost was measured, of students alone."""
    smaller: float | None
    accuracy: float | None
    interval: tuple[float, float] | None
    """The 95% interval of the accuracy; none of a teacher that is compared with itself."""
    state: str = "complete"
    """What is said where there is no accuracy."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a search found."""

    lines: tuple[Line, ...]
    sentences: tuple[str, ...]
    doubts: tuple[str, ...]
    """What is odd beside that, such as a teacher that is worse than a student."""
    best: StudentRecord
    settings: str

    @property
    def sentence(self) -> str:
        """The verdict as one text."""
        return " ".join((*self.sentences, *self.doubts))


def summarize(view: StudyView) -> Summary:
    """The closing table and verdict. Raises UnusableStudy before the first completed trial."""
    top = view.pick("best")
    said = verdict_of(view).sentences
    return Summary(lines_of(view), said, doubts_of(view), top, student_in_words(top))


def lines_of(view: StudyView) -> tuple[Line, ...]:
    """The closing table. Raises UnusableStudy before the first completed trial."""
    top, taught = view.pick("best"), view.best_taught
    lines = [*teacher_lines(view), student_line(view, f"best (trial {top.number})", top)]
    if taught and taught.number != top.number:
        lines.append(student_line(view, f"best distilled (trial {taught.number})", taught))
    twin = view.facts.get("twin")
    if taught and twin and twin["trial"] == taught.number:
        lines.append(control_line(view, "its twin, alone", twin))
    return (*lines, *largest_lines(view))


def place_of(view: StudyView) -> str:
    """The study's folder as it is typed in a command: where it can be, from the working folder."""
    root = view.folder.root
    near = root.is_relative_to(Path.cwd()) and root != Path.cwd()
    return quote(str(root.relative_to(Path.cwd()) if near else root))


def doubts_of(view: StudyView) -> tuple[str, ...]:
    """A sentence where a student alone beats the teacher; else nothing."""
    scores = [row.accuracy for row in view.rows if not row.taught]
    scores += [fact["accuracy"] for name, fact in view.facts.items()
               if name == "twin" or name.startswith("largest ")]  # fmt: skip
    known = [score for score in scores if score is not None]
    if not known:
        return ()
    said = (worse_teacher(one, view.score_of(one), max(known), view.examples)
            for one in view.teachers)  # fmt: skip
    return tuple(filter(None, said))


def worse_teacher(
    teacher: Mapping[str, Any], reached: float | None, alone: float, examples: int
) -> str:
    """A sentence where a student alone beats the teacher surely; else nothing."""
    if reached is None or gain(alone, reached, examples).sign <= 0:
        return ""
    cause = (
        "train it otherwise, with fewer epochs or more: --fix teacher_epochs=N."
        if kind_of(teacher["target"]) == TRAINED
        else "it has little to teach. If it was better where it was trained, its inputs differ "
        "here: check --teacher-size, --teacher-mean and --teacher-std."
    )
    return (
        f"The teacher ({100 * reached:.1f}%) is worse than a student alone "
        f"({100 * alone:.1f}%): {cause}"
    )


def student_in_words(row: StudentRecord) -> str:
    """A student's settings; of the term kl, alpha in both forms."""
    additive = ""
    if row.taught and row.settings["knowledge"] == "kl":
        alpha, temperature = (float(row.settings[name]) for name in ("alpha", "temperature"))
        additive = f" (additive form a = {additive_weight(alpha, temperature):.2f})"
    return (
        f"{row.config.family}, {row.config.depth} block{'s' * (row.config.depth > 1)}, "
        f"channels {row.config.label()}{row.config.extras()}; "
        f"{settings_in_words(row.settings)}{additive}"
    )


def teacher_lines(view: StudyView) -> list[Line]:
    """The teachers, as far as they are known."""
    return [teacher_line(view, facts) for facts in view.teachers]


def teacher_line(view: StudyView, facts: Mapping[str, Any]) -> Line:
    """A teacher's line."""
    score, count, alive = view.score_of(facts), facts["parameters"], facts["activations"]
    sure = None if view.of_teacher or score is None else interval(score, view.examples)
    sizes = {"parameters": count, "macs": facts["macs"], "bytes": count and 4 * count,
             "ram": alive and 4 * alive}  # fmt: skip
    smaller = 1.0 if count else None
    return Line(TEACHER, called(facts), count, sizes.get(view.cost), smaller, score, sure)


def called(teacher: Mapping[str, Any]) -> str:
    """What a teacher is called in a table: a file by its name alone."""
    trained = kind_of(teacher["target"]) == TRAINED and not teacher["parts"]
    return f"trained, width {teacher['width']}" if trained else short_name(teacher["target"])


def line(
    view: StudyView,
    name: str,
    label: str,
    sizes: tuple[int, int],
    accuracy: float | None,
    state: str,
) -> Line:
    """A student's line, from its parameters and its cost."""
    counts = [one["parameters"] for one in view.teachers]
    smaller = counts[0] / sizes[0] if len(counts) == 1 and counts[0] else None
    sure = None if accuracy is None else interval(accuracy, view.examples)
    return Line(name, label, *sizes, smaller, accuracy, sure, state)


def student_line(view: StudyView, name: str, row: StudentRecord) -> Line:
    """A trial's line."""
    sizes = (row.costs["parameters"], row.costs[view.cost])
    return line(view, name, row.config.name(), sizes, row.accuracy, row.state)


def control_line(view: StudyView, name: str, facts: Mapping[str, Any]) -> Line:
    """A control's line."""
    label = StudentConfig.from_json(facts["student"]).name()
    sizes = (facts["parameters"], facts[view.cost])
    state = "failed" if facts["accuracy"] is None else "complete"
    return line(view, name, label, sizes, facts["accuracy"], state)


def largest_lines(view: StudyView) -> list[Line]:
    """Each family's default student with and without the teacher: the first trials or controls."""
    lines = []
    for family in view.facts["families"]:
        for row in view.defaults(family):
            how = "" if row.taught else ", alone"
            lines.append(student_line(view, f"largest {family}{how}", row))
        if alone := view.facts.get(f"largest {family} alone"):
            lines.append(control_line(view, f"largest {family}, alone", alone))
    return lines
