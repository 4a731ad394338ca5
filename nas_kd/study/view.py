"""A stored study as plain records, for reports, exports and people."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError

from nas_kd.errors import UnusableStudy
from nas_kd.front import Point, best, front, knee
from nas_kd.metrics import METRICS, metric_in_words
from nas_kd.spec import StudySpec
from nas_kd.spec.settings import beside_config
from nas_kd.study.database import Ledger
from nas_kd.study.facts import expect_facts
from nas_kd.study.folder import StudyFolder
from nas_kd.study.looks import all_scores
from nas_kd.study.record import StudentRecord


def remark(record: StudentRecord) -> str:
    """What a student's state does not say: a fault, an equal trial, or where it was stopped."""
    if record.fault is not None:
        return record.fault
    if record.duplicate_of is not None:
        return f"same as trial {record.duplicate_of}"
    if record.state != "stopped" or not record.rungs:
        return ""
    epoch, accuracy = record.rungs[-1]
    return f"{100 * accuracy:.1f}% at epoch {epoch}"


@dataclass(frozen=True)
class StudyView:
    """A study as it is now: spec, facts and trials."""

    folder: StudyFolder
    spec: StudySpec
    facts: Mapping[str, Any]
    rows: tuple[StudentRecord, ...]
    optuna: optuna.Study

    @property
    def cost(self) -> str:
        """The kind of cost that the front has on its axis."""
        return str(self.facts["cost"])

    @property
    def examples(self) -> int:
        """How many independent examples the metric is as sure as; the validation split, of
        accuracy."""
        return int(self.facts["examples"])

    @property
    def epochs(self) -> int:
        """The epochs of a student that is not stopped."""
        return int(self.facts["epochs"])

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs at which trials are compared."""
        return tuple(self.facts["rungs"])

    @property
    def metric(self) -> str:
        """What students are judged by, in words."""
        return metric_in_words(self.spec.metric)

    @property
    def teachers(self) -> tuple[Mapping[str, Any], ...]:
        """What is known of each teacher; nothing before they are ready."""
        return tuple(self.facts.get("teachers", ()))

    def teacher_of(self, settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What is known of the teacher of a student of these settings; None if there is none."""
        name = self.spec.teacher_of(settings)
        named = [one for one in self.teachers if one["target"] == name]
        return next(iter(named or self.teachers), None)

    def score_of(self, teacher: Mapping[str, Any]) -> float | None:
        """What a teacher reaches by the metric; it agrees with itself. None if it is not known."""
        return 1.0 if self.of_teacher else teacher["accuracy"]

    @property
    def teacher_score(self) -> float | None:
        """What the best of the teachers reaches; None if that is not known of any."""
        known = [score for one in self.teachers if (score := self.score_of(one)) is not None]
        return max(known, default=None)

    @property
    def of_teacher(self) -> bool:
        """Whether students are compared with the teacher's answers."""
        metric = METRICS.get(self.spec.metric)  # one from outside may not be imported here
        return metric is not None and metric.of_teacher

    @property
    def looks(self) -> int:
        """How often a student was scored on the test split."""
        return all_scores(self.folder.root)

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The completed trials in the plane of cost and accuracy."""
        return tuple(
            Point(row.number, row.accuracy, row.costs[self.cost])
            for row in self.rows
            if row.accuracy is not None
        )

    @property
    def shown_settings(self) -> tuple[str, ...]:
        """The settings that tables of trials have a column for: numbers, and words that differ."""
        first = beside_config(self.rows[0].settings) if self.rows else {}
        return tuple(
            name
            for name, value in first.items()
            if not isinstance(value, str) or any(r.settings[name] != value for r in self.rows)
        )

    @property
    def front(self) -> tuple[StudentRecord, ...]:
        """The trials on the Pareto front, cheapest first."""
        return tuple(self.rows[point.trial] for point in front(self.points))

    @property
    def best_taught(self) -> StudentRecord | None:
        """The best of the completed students that had a teacher."""
        top = best(point for point in self.points if self.rows[point.trial].taught)
        return self.rows[top.trial] if top else None

    def defaults(self, family: str) -> tuple[StudentRecord, ...]:
        """The trials of a family's default student: with the teacher, and the same without it where
        that is searched."""
        fixed = self.rows[: self.facts["fixed"]]
        return tuple(row for row in fixed if row.config.family == family)

    @property
    def best_default(self) -> StudentRecord:
        """The largest student that fits: of the families' default students, with the teacher or
        without, that of highest validation accuracy."""
        fixed = self.rows[: self.facts["fixed"]]
        return max(fixed, key=lambda row: (row.accuracy or 0.0, -row.number))

    @property
    def default_name(self) -> str:
        """What the largest student that fits is called: cnn 12-24, alone."""
        row = self.best_default
        return row.config.name() + ("" if row.taught else ", alone")

    def pick(self, which: str) -> StudentRecord:
        """The trial called `best`, `knee`, or by its number. Raises UnusableStudy."""
        given = f"trial {which!r} of {self.folder.root}"
        if which in ("best", "knee"):
            point = (best if which == "best" else knee)(self.points)
            if point is None:
                raise UnusableStudy(given, "there is no completed trial yet", "Go on searching.")
            return self.rows[point.trial]
        if not which.isdecimal() or len(which) > 9 or int(which) >= len(self.rows):
            right = f"Say best, knee or a number below {len(self.rows)}."
            raise UnusableStudy(given, "there is no such trial", right)
        row = self.rows[int(which)]
        if row.state != "complete":
            right = f"Choose a completed one: nas-kd trials {self.folder.root}"
            raise UnusableStudy(given, f"is {row.state}", right)
        return row


def read_study(folder: StudyFolder) -> StudyView:
    """The study in a folder. Raises UnusableStudy."""
    spec = folder.read_spec()
    try:
        ledger = Ledger.open(folder.database)
        facts = ledger.facts()
        if "cost" not in facts:
            raise UnusableStudy(str(folder.root), "has not begun", "Run the search again to go on.")
        rows = tuple(ledger.records())
        expect_facts(facts)
        expect_alike(rows, [kind for kind, _ in facts["budgets"]])
        if not facts.keys() >= {"chance", "examples"} and any(
            row.accuracy is not None for row in rows
        ):
            raise ValueError("chance, examples: not there, though students are scored")
    except (ValueError, StorageInternalError) as error:
        wrong = f"is not what nas-kd writes there ({error})"
        right = "Bring it back as it was, or search in a new folder: --study FOLDER."
        raise UnusableStudy(str(folder.database), wrong, right) from error
    return StudyView(folder, spec, facts, rows, ledger.study)


def expect_alike(rows: tuple[StudentRecord, ...], costs: list[str]) -> None:
    """Raise ValueError for trials that are not of one study, whose budgets are of these costs."""
    for row in rows:
        if not row.costs.keys() >= {*costs}:
            raise ValueError(f"trial {row.number} lacks a cost that is bounded")
        if row.settings.keys() != rows[0].settings.keys():
            raise ValueError(f"trial {row.number} has other settings than trial 0")
        if row.duplicate_of is not None and row.duplicate_of >= row.number:
            raise ValueError(f"trial {row.number} is the same as one after it")
