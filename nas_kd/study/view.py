"""A stored study as plain records, for reports, exports and people."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from nas_kd.costs.budgets import Counts
from nas_kd.errors import UnusableStudy
from nas_kd.front import Point, best, front, knee
from nas_kd.metrics import METRICS, in_words
from nas_kd.spec import StudySpec
from nas_kd.students.decode import counts
from nas_kd.students.family import StudentConfig
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder
from nas_kd.study.record import latest, root

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
    TrialState.RUNNING: "running",
    TrialState.FAIL: "cancelled",
}

WENT_ON = "went on"
"""The state of a stopped trial that another one continues."""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial: its student, its settings, and what came of it."""

    number: int
    state: str
    student: StudentConfig
    accuracy: float | None
    cost: int
    fill: float
    alpha: float
    temperature: float
    learning_rate: float
    knowledge: str
    seconds: float | None
    rungs: tuple[tuple[int, float], ...]
    continues: int | None
    """The stopped trial that went on as this one."""
    goes_on: int | None
    """The trial that this one went on as."""
    note: str

    @property
    def counts(self) -> Counts:
        """The student's size."""
        return counts(self.student)


def row(trial: FrozenTrial, cost: str, goes_on: int | None) -> TrialRow:
    """A stored trial as a record, given the trial that it goes on as, if it does."""
    facts = trial.user_attrs
    return TrialRow(
        number=trial.number,
        state=STATES[trial.state] if goes_on is None else WENT_ON,
        student=StudentConfig.from_json(facts["student"]),
        accuracy=trial.values[0] if trial.values else None,
        cost=facts[cost],
        fill=facts["fill"],
        **json.loads(facts["settings"]),
        seconds=facts.get("seconds"),
        rungs=tuple((epoch, accuracy) for epoch, accuracy in facts.get("rungs", [])),
        continues=facts.get("continues"),
        goes_on=goes_on,
        note=remark(trial) if goes_on is None else f"{remark(trial)}, goes on as trial {goes_on}",
    )


def remark(trial: FrozenTrial) -> str:
    """What a trial's state does not say: a fault, an equal trial, where it was stopped or began."""
    facts = trial.user_attrs
    if "fault" in facts:
        return str(facts["fault"])
    if "duplicate_of" in facts:
        return f"same as trial {facts['duplicate_of']}"
    if "continues" in facts and trial.values:
        return f"trial {facts['continues']} gone on"
    if trial.state == TrialState.PRUNED and facts.get("rungs"):
        epoch, accuracy = facts["rungs"][-1]
        return f"{100 * accuracy:.1f}% at epoch {epoch}"
    return ""


@dataclass(frozen=True)
class StudyView:
    """A study as it is now: spec, facts and trials."""

    folder: StudyFolder
    spec: StudySpec
    facts: Mapping[str, Any]
    rows: tuple[TrialRow, ...]
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
    def metric(self) -> str:
        """What students are judged by, in words."""
        return in_words(self.spec.metric)

    @property
    def teacher_score(self) -> float:
        """What the teacher reaches by that; it agrees with itself."""
        of_teacher = METRICS[self.spec.metric].of_teacher
        return 1.0 if of_teacher else float(self.facts["teacher"]["accuracy"])

    @property
    def looks(self) -> int:
        """How often a student was scored on the test split."""
        kept = self.folder.evaluations
        return len(json.loads(kept.read_text())) if kept.exists() else 0

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The completed trials in the plane of cost and accuracy."""
        return tuple(
            Point(row.number, row.accuracy, row.cost)
            for row in self.rows
            if row.accuracy is not None
        )

    @property
    def students(self) -> tuple[TrialRow, ...]:
        """One trial for each student: those that went on are left to what continues them, unless
        that was cancelled."""
        return tuple(
            row
            for row in self.rows
            if row.state != WENT_ON and (row.continues is None or row.state != "cancelled")
        )

    @property
    def front(self) -> tuple[TrialRow, ...]:
        """The trials on the Pareto front, cheapest first."""
        return tuple(self.rows[point.trial] for point in front(self.points))

    def pick(self, which: str) -> TrialRow:
        """The trial called `best`, `knee`, or by its number. Raises UnusableStudy."""
        given = f"trial {which!r} of {self.folder.root}"
        if which in ("best", "knee"):
            point = (best if which == "best" else knee)(self.points)
            if point is None:
                raise UnusableStudy(given, "there is no completed trial yet", "Go on searching.")
            return self.rows[point.trial]
        if not which.isdecimal() or int(which) >= len(self.rows):
            right = f"Say best, knee or a number below {len(self.rows)}."
            raise UnusableStudy(given, "there is no such trial", right)
        row = self.rows[int(which)]
        if row.state == WENT_ON:
            right = f"It goes on as trial {row.goes_on}: say that."
            raise UnusableStudy(given, "was stopped", right)
        if row.state != "complete":
            raise UnusableStudy(given, f"is {row.state}", "Choose a completed one: nas-kd trials")
        return row


def read_study(folder: StudyFolder) -> StudyView:
    """The study in a folder. Raises UnusableStudy."""
    spec = folder.read_spec()
    ledger = Ledger.open(folder.database)
    facts = ledger.facts()
    if "cost" not in facts:
        raise UnusableStudy(str(folder.root), "has not begun", "Run the search again to go on.")
    trials = ledger.trials()
    gone_on = {root(t): t.number for t in latest(trials) if root(t) != t.number}
    rows = tuple(row(t, facts["cost"], gone_on.get(t.number)) for t in trials)
    return StudyView(folder, spec, facts, rows, ledger.study)
