"""The study in Optuna's own database."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from nas_kd.errors import UnusableStudy
from nas_kd.study.database import Ledger
from nas_kd.study.sqlite import open_sqlite
from nas_kd.study.storage import Database

SPACE = {"width": FloatDistribution(0, 1)}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.create(
        Database(tmp_path / "study.db"), "mine", "validation accuracy", "parameters"
    )


def test_the_database_is_in_wal_mode_and_locks_when_it_begins(ledger: Ledger) -> None:
    with ledger.storage.engine.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        assert mode == "wal"
        path = str(ledger.storage.engine.url.database)
        other = sqlite3.connect(path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_who_looks_while_a_database_is_made_finds_none_or_all_of_it(tmp_path: Path) -> None:
    said: set[str] = set()
    for number in range(5):
        database = Database(tmp_path / f"{number}.db")
        with ThreadPoolExecutor(2) as pool:
            made = pool.submit(Ledger.create, database, "mine", "validation accuracy", "parameters")
            while not made.done():
                try:
                    assert Ledger.open(database).study.study_name == "mine"
                except UnusableStudy as error:
                    said.add(error.wrong)
            assert made.result().trials() == []
    assert said <= {"holds no study", "holds no study.db"}
    assert not list(tmp_path.glob(".*"))


def test_the_objectives_have_names_and_directions(ledger: Ledger) -> None:
    assert ledger.study.metric_names == ["validation accuracy", "parameters"]
    assert [d.name for d in ledger.study.directions] == ["MAXIMIZE", "MINIMIZE"]


def test_a_trial_is_proposed_with_all_that_is_known_and_told_once(ledger: Ledger) -> None:
    ledger.propose(0, {"width": 0.5}, SPACE, {"channels": "3-4"})
    ledger.propose(1, {"width": 0.6}, SPACE, {"channels": "5"})
    ledger.tell(0, (0.9, 100.0), {"seconds": 1.5})
    ledger.tell(1, None, {"fault": "NaN"})
    ledger.tell(0, (0.1, 1.0), {"seconds": 9})
    first, second = ledger.trials()
    assert (first.state, first.values) == (TrialState.COMPLETE, [0.9, 100.0])
    assert first.user_attrs == {"channels": "3-4", "seconds": 1.5}
    assert (second.state, second.values) == (TrialState.PRUNED, None)
    assert second.intermediate_values == {}


def test_a_trial_that_a_person_failed_stays_cancelled(ledger: Ledger) -> None:
    ledger.propose(0, {"width": 0.5}, SPACE, {})
    ledger.study.tell(0, state=TrialState.FAIL)
    ledger.tell(0, (0.9, 100.0), {})
    assert ledger.trials()[0].state == TrialState.FAIL


def test_facts_of_the_study_are_kept(ledger: Ledger, tmp_path: Path) -> None:
    ledger.note("teacher", {"accuracy": 0.9})
    assert Ledger.open(Database(tmp_path / "study.db")).facts() == {"teacher": {"accuracy": 0.9}}


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("driver", "3"), ("driver", "not JSON"), ("spec", "3"), ("finished", '"all"'),
        ("twin", '"x"'), ("twin", "null"), ("finished", "null"), ("chance", "null"),
        ("epochs", "-1"), ("largest cnn", "[]"),
    ],
)  # fmt: skip
def test_a_fact_that_is_not_of_its_kind_is_named(
    fact: str, value: str, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.note(fact, 1)
    with ledger.storage.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE study_user_attributes SET value_json = ?", (value,))
    database = Database(tmp_path / "study.db")
    with pytest.raises(UnusableStudy, match="cells that are not as they were written"):
        Ledger.open(database).facts()


def test_what_is_no_study_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableStudy, match=r"holds no study\.db"):
        Ledger.open(Database(tmp_path / "study.db"))
    open_sqlite(tmp_path / "study.db")
    with pytest.raises(UnusableStudy, match="holds no study"):
        Ledger.open(Database(tmp_path / "study.db"))


@pytest.mark.parametrize("table", ["trials", "study_user_attributes"])
def test_a_database_that_is_damaged_within_is_named(
    table: str, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.propose(0, {}, {}, {"channels": "3-4"})
    ledger.note("spec", "")
    ledger.storage.engine.dispose()
    file = tmp_path / "study.db"
    with sqlite3.connect(file) as tables:
        tables.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = tables.execute("PRAGMA page_size").fetchone()
        asked = f"SELECT rootpage FROM sqlite_master WHERE name = '{table}'"
        (page,) = tables.execute(asked).fetchone()
    with file.open("r+b") as damaged:
        damaged.seek((page - 1) * size)
        damaged.write(bytes(size))
    with pytest.raises(UnusableStudy, match=r"study\.db: cannot be used \(database disk image"):
        Ledger.open(Database(file)).trials()


def test_a_database_with_somebody_elses_study_beside_ours_stays_readable(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.note("spec", "budget = '2k'")
    for name in ("aaa", "zzz"):
        optuna.create_study(study_name=name, storage=ledger.storage)
    path = tmp_path / "study.db"
    assert Ledger.open(Database(path)).study.study_name == "mine"
    assert Ledger.create(Database(path), "other", "validation accuracy", "parameters").facts()[
        "spec"
    ]


def test_braces_in_a_path_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "a{b}c"
    Ledger.create(Database(folder / "study.db"), "mine", "validation accuracy", "macs")
    assert (folder / "study.db").exists()
    assert Ledger.open(Database(folder / "study.db")).study.study_name == "mine"


def test_the_best_trials_of_optuna_are_the_front(ledger: Ledger) -> None:
    for number, values in enumerate([(0.9, 100.0), (0.8, 50.0), (0.7, 80.0)]):
        ledger.propose(number, {"width": number / 10}, SPACE, {})
        ledger.tell(number, values, {})
    assert {trial.number for trial in ledger.study.best_trials} == {0, 1}
    assert optuna.get_all_study_names(ledger.storage) == ["mine"]
