"""The study in Optuna's own database: one atomic write to propose, one to tell."""

import json
import logging
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from nas_kd.errors import UnusableStudy
from nas_kd.space.sampler import DIRECTIONS
from nas_kd.study.facts import expect_each
from nas_kd.study.postgres import patiently
from nas_kd.study.record import StudentRecord
from nas_kd.study.storage import Database, sound

T = TypeVar("T")
Say = Callable[[str], None]

logging.getLogger("optuna").setLevel(logging.WARNING)


class Ledger:
    """A stored study, written in an order that a crash cannot confuse."""

    def __init__(
        self, storage: RDBStorage, study: optuna.Study, database: Database, say: Say
    ) -> None:
        """`say` is called with why, once each time that the server is waited for."""
        self.storage, self.study, self.database, self._say = storage, study, database, say
        self._id = storage.get_study_id_from_name(study.study_name)
        self._finished: dict[int, StudentRecord] = {}

    @classmethod
    def open(cls, database: Database) -> "Ledger":
        """The study in this database. Raises UnusableStudy."""
        right = "Name the folder of a study, or make one: nas-kd search --budget 20k"
        if database.server is None and not database.file.exists():
            raise UnusableStudy(str(database.file.parent), "holds no study.db", right)
        if not database.has_tables() or (name := database.find(storage := database.open())) is None:
            if database.server is not None:
                right = "Name the server that has it with --storage, or search in a new folder."
            wrong = f"holds no study {database.study or ''}".strip()
            raise UnusableStudy(str(database), wrong, right)
        with sound(database):
            study = optuna.load_study(study_name=name, storage=storage)
            return cls(storage, study, database, lambda text: None)

    @classmethod
    def create(
        cls, database: Database, name: str, score: str, cost: str, say: Say = lambda text: None
    ) -> "Ledger":
        """The study in this database, made if there is none, of two named objectives.

        One that is there keeps its name, whatever its folder is called by now.
        """
        database.file.parent.mkdir(parents=True, exist_ok=True)

        def made() -> "Ledger":
            storage = database.open()
            study = optuna.create_study(
                study_name=database.find(storage) or database.study or name,
                storage=storage,
                directions=DIRECTIONS,
                load_if_exists=True,
            )
            if study.metric_names is None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                    study.set_metric_names([score, cost])
            return cls(storage, study, database, say)

        return patiently(made, say)

    def patiently(self, call: Callable[[], T]) -> T:
        """What the call gives; a server that goes away is waited for, and the call made again.
        Raises ServerLost after a minute."""
        return patiently(call, self._say)

    def trials(self) -> list[FrozenTrial]:
        """All trials as Optuna has them, by number: what the sampler learns from."""
        with sound(self.database):
            found = self.patiently(lambda: self.study.get_trials(deepcopy=False))
            if [trial.number for trial in found] != [*range(len(found))]:
                raise ValueError("trials that are not numbered from 0 on")
        return found

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
        with sound(self.database):
            found = self.patiently(lambda: dict(self.storage.get_study_user_attrs(self._id)))
            expect_each(found)
        return found

    def note(self, key: str, value: Any) -> None:
        """Keep a fact of the whole study."""
        self.patiently(lambda: self.study.set_user_attr(key, value))

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
        number: int,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, Any],
    ) -> None:
        """Add a running trial, with all that is known before training, in one atomic write; it gets
        this number, for one driver alone adds any."""
        trial = create_trial(
            state=TrialState.RUNNING,
            params=dict(params),
            distributions=dict(distributions),
            user_attrs=dict(attributes),
        )

        tried = False

        def add() -> None:
            nonlocal tried
            if tried and len(self.study.get_trials(deepcopy=False)) > number:
                return  # the last try had added it, and its answer was lost
            tried = True
            self.study.add_trial(trial)

        self.patiently(add)

    def tell(
        self, number: int, values: tuple[float, float] | None, attributes: Mapping[str, Any]
    ) -> None:
        """Finish a trial: complete with its values, or stopped without.

        A trial that a person failed in the dashboard stays as it is.
        """
        row = self.patiently(lambda: self._row(number))
        state = TrialState.PRUNED if values is None else TrialState.COMPLETE
        finish = partial(self.storage.set_trial_state_values, row, state, values)
        try:
            for fact in attributes.items():
                self.patiently(partial(self.storage.set_trial_user_attr, row, *fact))
            self.patiently(finish)
        except optuna.exceptions.UpdateFinishedTrialError:
            return

    def _row(self, number: int) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self._id, number)

    def record(self, number: int) -> StudentRecord:
        """The record of one trial, as it is stored now."""

        return self.patiently(lambda: StudentRecord.of(self.storage.get_trial(self._row(number))))
