"""The study in Optuna's own database: one atomic write to propose, one to tell."""

import atexit
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from nas_kd.errors import UnusableStudy
from nas_kd.space.sampler import DIRECTIONS
from nas_kd.study.record import StudentRecord

logging.getLogger("optuna").setLevel(logging.WARNING)


def open_sqlite(path: Path) -> RDBStorage:
    """SQLite in WAL mode, whose transactions take the write lock when they begin.

    So readers (a dashboard) never block the search, and a second writer waits instead of failing.
    """
    url = f"sqlite:///{at_hand(path).resolve()}".replace("{", "{{").replace("}", "}}")
    storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})

    @event.listens_for(storage.engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=60000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(storage.engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    storage.engine.dispose()
    return storage


def at_hand(path: Path) -> Path:
    """The database, or a copy of one in a folder that may not be written: SQLite in WAL mode writes
    beside a database even to read it."""
    if os.access(path.parent, os.W_OK):
        return path
    place = Path(tempfile.mkdtemp(prefix="nas-kd-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    for file in (path, path.with_name(f"{path.name}-wal")):
        if file.exists():
            shutil.copyfile(file, place / file.name)
    return place / path.name


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Raise UnusableStudy if the database is damaged, or if it may not be read."""
    try:
        yield
    except (DBAPIError, StorageInternalError, OSError) as error:
        cause = (error.orig if isinstance(error, DBAPIError) else error.__cause__) or error
        right = "It must be whole, and you must be allowed to read it: mend it, or copy the study."
        raise UnusableStudy(str(path), f"cannot be opened ({cause})", right) from error


def mine(storage: RDBStorage, names: list[str]) -> str:
    """The name of the study that nas-kd made, where somebody put others beside it; else of the
    first."""
    made = [
        name
        for name in names
        if "spec" in storage.get_study_user_attrs(storage.get_study_id_from_name(name))
    ]
    return (made or names)[0]


class Ledger:
    """A stored study, written in an order that a crash cannot confuse."""

    def __init__(self, storage: RDBStorage, study: optuna.Study) -> None:
        self.storage, self.study = storage, study
        self._id = storage.get_study_id_from_name(study.study_name)
        self._finished: dict[int, StudentRecord] = {}

    @staticmethod
    def begun(path: Path) -> bool:
        """Whether a database holds a study; one whose making was interrupted has only tables."""
        with opening(path):
            return path.exists() and bool(optuna.get_all_study_names(open_sqlite(path)))

    @classmethod
    def open(cls, path: Path) -> "Ledger":
        """The study in this database. Raises UnusableStudy."""
        right = "Name the folder of a study, or make one: nas-kd search --budget 20k"
        if not path.exists():
            raise UnusableStudy(str(path.parent), "holds no study.db", right)
        with opening(path):
            storage = open_sqlite(path)
            names = optuna.get_all_study_names(storage)
        if not names:
            raise UnusableStudy(str(path), "holds no study", right)
        return cls(storage, optuna.load_study(study_name=mine(storage, names), storage=storage))

    @classmethod
    def create(cls, path: Path, name: str, score: str, cost: str) -> "Ledger":
        """The study in this database, made if there is none, of two named objectives.

        One that is there keeps its name, whatever its folder is called by now.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with opening(path):
            storage = open_sqlite(path)
            known = optuna.get_all_study_names(storage)
        study = optuna.create_study(
            study_name=mine(storage, known) if known else name,
            storage=storage,
            directions=DIRECTIONS,
            load_if_exists=True,
        )
        if study.metric_names is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names([score, cost])
        return cls(storage, study)

    def trials(self) -> list[FrozenTrial]:
        """All trials as Optuna has them, by number: what the sampler learns from."""
        return self.study.get_trials(deepcopy=False)

    def records(self) -> list[StudentRecord]:
        """The record of every trial, by number; one that is finished is read once."""
        for trial in (trials := self.trials()):
            if trial.state.is_finished() and trial.number not in self._finished:
                self._finished[trial.number] = StudentRecord.of(trial)
        return [self._finished.get(t.number) or StudentRecord.of(t) for t in trials]

    def told(self) -> int:
        """How many trials are finished."""
        return sum(record.finished for record in self.records())

    def facts(self) -> dict[str, Any]:
        """What is known of the whole study: teacher, data, controls."""
        return dict(self.storage.get_study_user_attrs(self._id))

    def note(self, key: str, value: Any) -> None:
        """Keep a fact of the whole study."""
        self.study.set_user_attr(key, value)

    def exchange(self, key: str, old: Any, new: Any) -> bool:
        """Keep a fact of the whole study in place of `old`, None for none, in one transaction;
        False, and nothing is changed, if another was there."""
        mine = {"study": self._id, "key": key}
        place = "study_user_attributes WHERE study_id = :study AND key = :key"
        try:
            with self.storage.engine.begin() as database:
                found = database.execute(text(f"SELECT value_json FROM {place}"), mine).scalar()
                if (None if found is None else json.loads(found)) != old:
                    return False
                database.execute(text(f"DELETE FROM {place}"), mine)
                database.execute(
                    text("INSERT INTO study_user_attributes (study_id, key, value_json) "
                         "VALUES (:study, :key, :value)"),
                    mine | {"value": json.dumps(new)},
                )  # fmt: skip
        except DBAPIError as error:
            raise StorageInternalError(f"the fact {key!r} cannot be written") from error
        return True

    def propose(
        self,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, Any],
    ) -> None:
        """Add a running trial, with all that is known before training, in one atomic write."""
        self.study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=dict(params),
                distributions=dict(distributions),
                user_attrs=dict(attributes),
            )
        )

    def tell(
        self, number: int, values: tuple[float, float] | None, attributes: Mapping[str, Any]
    ) -> None:
        """Finish a trial: complete with its values, or stopped without.

        A trial that a person failed in the dashboard stays as it is.
        """
        row = self.storage.get_trial_id_from_study_id_trial_number(self._id, number)
        if self.storage.get_trial(row).state.is_finished():
            return
        try:
            for key, value in attributes.items():
                self.storage.set_trial_user_attr(row, key, value)
            state = TrialState.PRUNED if values is None else TrialState.COMPLETE
            self.study.tell(number, values, state=state, skip_if_finished=True)
        except optuna.exceptions.UpdateFinishedTrialError:
            return

    def record(self, number: int) -> StudentRecord:
        """The record of one trial, as it is stored now."""
        row = self.storage.get_trial_id_from_study_id_trial_number(self._id, number)
        return StudentRecord.of(self.storage.get_trial(row))
