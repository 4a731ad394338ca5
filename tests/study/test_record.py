"""One record a student, built once from a stored trial."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

import nas_kd
from nas_kd.errors import Unusable, UnusableStudy
from nas_kd.students.family import StudentConfig
from nas_kd.study.database import Ledger
from nas_kd.study.record import StudentRecord, outcome
from nas_kd.study.storage import Database
from nas_kd.study.view import StudyView
from tests.conftest import record

SPACE = {"width": FloatDistribution(0, 1)}


@pytest.mark.parametrize("proposed", [record(0), record(0, duplicate_of=3, generation=2)])
def test_what_is_proposed_is_what_is_read(proposed: StudentRecord, tmp_path: Path) -> None:
    ledger = Ledger.create(Database(tmp_path / "study.db"), "mine", "accuracy", "parameters")
    ledger.propose(0, {"width": 0.5}, SPACE, proposed.proposed())
    assert ledger.records() == [proposed]


@pytest.mark.parametrize(
    ("fault", "values", "state"),
    [(None, (0.9, 100.0), "complete"), (None, None, "stopped"), ("NaN", None, "failed")],
)
def test_what_is_told_is_what_is_read(
    fault: str | None, values: tuple[float, float] | None, state: str, tmp_path: Path
) -> None:
    ledger = Ledger.create(Database(tmp_path / "study.db"), "mine", "accuracy", "parameters")
    ledger.propose(0, {"width": 0.5}, SPACE, record().proposed())
    ledger.tell(0, values, outcome([(1, 0.5), (3, 0.9)], 1.234, fault))
    (found,) = ledger.records()
    assert (found.state, found.fault, found.seconds) == (state, fault, 1.23)
    assert found.rungs == ((1, 0.5), (3, 0.9))
    assert (found.at(1), found.at(2)) == (0.5, None)
    assert found.accuracy == (values[0] if values else None)


@pytest.mark.parametrize("fault", [None, "NaN"])
def test_a_person_cancels_a_trial(fault: str | None) -> None:
    facts = record().proposed() | outcome([], 0.0, fault)
    cancelled = StudentRecord.of(create_trial(state=TrialState.FAIL, user_attrs=facts))
    assert (cancelled.state, cancelled.finished) == ("cancelled", True)


def test_a_fault_that_was_written_in_the_moment_of_a_crash_is_not_told_yet() -> None:
    facts = record().proposed() | outcome([(1, 0.1)], 0.0, "NaN")
    torn = StudentRecord.of(create_trial(state=TrialState.RUNNING, user_attrs=facts))
    assert not torn.finished


def test_a_trial_that_nobody_here_proposed_is_named() -> None:
    with pytest.raises(UnusableStudy, match="it has no fill, generation, settings, student"):
        StudentRecord.of(create_trial(state=TrialState.WAITING))


def test_settings_that_would_stand_for_something_else_are_named() -> None:
    options = replace(record().config, options={"family": "evil:net"})
    for proposed in (record(settings={"family": "evil:net"}), record(config=options)):
        with pytest.raises(UnusableStudy, match="settings that are none: family"):
            StudentRecord.of(create_trial(state=TrialState.WAITING, user_attrs=proposed.proposed()))


def test_a_finished_trial_is_read_once(tmp_path: Path) -> None:
    ledger = Ledger.create(Database(tmp_path / "study.db"), "mine", "accuracy", "parameters")
    for number in range(2):
        ledger.propose(number, {"width": 0.5}, SPACE, record(number).proposed())
    ledger.tell(0, None, {})
    first, again = ledger.records(), ledger.records()
    assert first[0] is again[0]
    assert first[1] == again[1]


def test_trials_are_the_same_by_student_and_by_what_it_does_not_show() -> None:
    one = record(settings={"width": 0.5, "alpha": 0.5, "temperature": 4.0})
    for width in (0.5, 0.6):
        assert record(settings={**one.settings, "width": width}).identity == one.identity
    assert record(settings={**one.settings, "alpha": 0.6}).identity != one.identity
    assert record(settings=one.settings, config=record().config).identity == one.identity
    other = StudentConfig("mlp", (1, 8, 8), 10, 1, (4,))
    assert record(settings=one.settings, config=other).identity != one.identity


def test_generations_are_told_of_every_trial(study: StudyView) -> None:
    assert [row.generation for row in study.rows] == [0] * 4 + [1] * 4


def test_a_config_of_another_schema_is_not_read() -> None:
    text = record().config.to_json().replace('"schema":1', '"schema":2')
    with pytest.raises(Unusable, match="has schema 2, and this version of nas-kd reads 1"):
        StudentConfig.from_json(text)


def test_what_trials_carry_is_read_in_one_file() -> None:
    root = Path(nas_kd.__file__).parent
    reading = re.compile(r"\.user_attrs\b")
    found = [path.name for path in root.rglob("*.py") if reading.search(path.read_text())]
    assert found == ["record.py"]


@pytest.mark.parametrize(
    "spoiled",
    [
        {"student": "{"}, {"student": "[]"}, {"student": 3}, {"settings": "[1]"},
        {"settings": "{"}, {"rungs": 3}, {"rungs": [["x", 1]]}, {"rungs": [[1]]},
    ],
)  # fmt: skip
def test_a_trial_that_somebody_else_wrote_is_named(spoiled: dict[str, Any], tmp_path: Path) -> None:
    ledger = Ledger.create(Database(tmp_path / "study.db"), "mine", "accuracy", "parameters")
    ledger.propose(0, {"width": 0.5}, SPACE, record().proposed() | spoiled)
    with pytest.raises(Unusable, match=r"trial 0: is not what nas-kd writes|config: is none"):
        ledger.records()
