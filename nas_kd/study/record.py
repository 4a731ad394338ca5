"""One student, whatever became of it: the only file that reads what a stored trial carries."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from optuna.trial import FrozenTrial, TrialState

from nas_kd.costs.budgets import COSTS, LATENCY
from nas_kd.errors import UnusableStudy
from nas_kd.records import read_json
from nas_kd.spec.settings import TAKEN, Value, beside_config
from nas_kd.students.family import StudentConfig
from nas_kd.study.facts import expect_stored

State = Literal["asked", "stopped", "complete", "failed", "cancelled"]
"""`failed` is a student's own fault, such as a loss that is not finite; a person cancels a trial in
the dashboard."""

STATES: Mapping[TrialState, State] = {
    TrialState.WAITING: "asked",
    TrialState.RUNNING: "asked",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "cancelled",
}


NUMBERS = ("alpha", "temperature", "learning_rate")
"""Settings that every student has, and that are numbers."""


def expect_values(trial: FrozenTrial) -> None:
    """Raise ValueError for values that are not an accuracy and a cost, or where there are none."""
    if (trial.state == TrialState.COMPLETE) != bool(trial.values):
        raise ValueError("values: there, or not there, against its state")
    if trial.values and not (len(trial.values) == 2 and 0 <= trial.values[0] <= 1):
        raise ValueError("values: not an accuracy and a cost")


@dataclass(frozen=True, slots=True)
class StudentRecord:
    """A trial: its student, its settings, what it costs, and how far it came."""

    number: int
    config: StudentConfig
    settings: Mapping[str, Value]
    """The value of every setting, fixed ones included."""
    costs: Mapping[str, int]
    """What the student costs, of each kind that is counted or bounded."""
    fill: float
    """The share of the first budget that the student uses."""
    generation: int
    """The generation it was asked in, from 0."""
    duplicate_of: int | None = None
    """The earlier trial of the same student and settings, which was trained in its place."""
    state: State = "asked"
    rungs: tuple[tuple[int, float], ...] = ()
    """The epoch of each rung that it reached, and its accuracy there."""
    accuracy: float | None = None
    """The metric on the validation split at the last epoch, of a complete student."""
    seconds: float | None = None
    fault: str | None = None

    @classmethod
    def of(cls, trial: FrozenTrial) -> Self:
        """The record of a stored trial. Raises UnusableStudy if nas-kd did not propose it."""
        facts = trial.user_attrs
        if lacks := sorted({"student", "settings", "fill", "generation"} - facts.keys()):
            wrong = f"was not proposed by this version of nas-kd: it has no {', '.join(lacks)}"
            right = "Search again in a new folder: --study FOLDER."
            raise UnusableStudy(f"trial {trial.number}", wrong, right)
        try:
            expect_stored(facts)
            expect_values(trial)
            config = StudentConfig.from_json(facts["student"])
            settings: dict[str, Value] = read_json(dict[str, Any], facts["settings"])
            rungs = tuple((int(epoch), float(found)) for epoch, found in facts.get("rungs", ()))
        except (ValueError, TypeError) as error:
            wrong = f"is not what nas-kd writes there ({error})"
            right = "Bring the study's database back as it was, or search in a new folder."
            raise UnusableStudy(f"trial {trial.number}", wrong, right) from error
        if taken := sorted(TAKEN & (config.options.keys() | settings.keys())):
            wrong = f"has settings that are none: {', '.join(taken)}"
            raise UnusableStudy(f"trial {trial.number}", wrong, "Somebody else wrote them.")
        if odd := [n for n in NUMBERS if not isinstance(settings.get(n), int | float)]:
            wrong = f"has no number as its {', '.join(odd)}"
            raise UnusableStudy(f"trial {trial.number}", wrong, "Search again in a new folder.")
        fault = facts.get("fault")
        failed = fault is not None and trial.state == TrialState.PRUNED
        return cls(
            number=trial.number,
            config=config,
            settings=settings,
            costs={kind: facts[kind] for kind in (*COSTS, LATENCY) if kind in facts},
            fill=facts["fill"],
            generation=facts["generation"],
            duplicate_of=facts.get("duplicate_of"),
            state="failed" if failed else STATES[trial.state],
            rungs=rungs,
            accuracy=trial.values[0] if trial.values else None,
            seconds=facts.get("seconds"),
            fault=fault,
        )

    def proposed(self) -> dict[str, Any]:
        """What is stored of a trial before it is trained; scalars, none with a setting's name."""
        same = {} if self.duplicate_of is None else {"duplicate_of": self.duplicate_of}
        return {
            "channels": self.config.label(),
            **self.costs,
            "fill": self.fill,
            "generation": self.generation,
            "student": self.config.to_json(),
            "settings": json.dumps(dict(self.settings)),
            **same,
        }

    @property
    def finished(self) -> bool:
        """Whether the trial was told, or cancelled."""
        return self.state != "asked"

    @property
    def taught(self) -> bool:
        """Whether the student learns from the teacher."""
        return float(self.settings["alpha"]) > 0

    @property
    def identity(self) -> str:
        """What makes two trials the same: the student, and the settings that it does not show."""
        return self.config.to_json() + json.dumps(beside_config(self.settings), sort_keys=True)

    def at(self, epoch: int) -> float | None:
        """The accuracy at the rung of this epoch, if it was reached."""
        return dict(self.rungs).get(epoch)


def outcome(
    rungs: Iterable[tuple[int, float]], seconds: float, fault: str | None
) -> dict[str, Any]:
    """What is stored of a trial when it is told."""
    facts: dict[str, Any] = {"rungs": [list(rung) for rung in rungs], "seconds": round(seconds, 2)}
    return facts if fault is None else facts | {"fault": fault}
