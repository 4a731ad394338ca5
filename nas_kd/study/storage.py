"""Where the trials of a study are: a file of its folder, or a server's database of several studies,
in which the study is found by a name that the folder keeps."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from pydantic import BaseModel
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from nas_kd.errors import Unusable, UnusableStudy
from nas_kd.files import FULL, ROOM, write_text
from nas_kd.records import read_record
from nas_kd.study.postgres import (
    chain_of,
    open_postgres,
    plain,
    postgres_has_tables,
    server_url,
    shown,
)
from nas_kd.study.sqlite import open_sqlite, sqlite_has_tables


class Note(BaseModel):
    """What a study's folder says of a server."""

    url: str
    study: str


@dataclass(frozen=True, slots=True)
class Database:
    """Where a study's trials are."""

    file: Path
    """SQLite's, where there is no server."""
    server: URL | None = None
    study: str | None = None
    """The study's name in the server's database."""

    def __str__(self) -> str:
        return str(self.file) if self.server is None else shown(self.server)

    def open(self) -> RDBStorage:
        """Optuna's storage, whose tables are made where there are none.

        Raises UnusableStudy for one that is damaged or may not be used, ServerLost for a server
        that does not answer.
        """
        if self.server is not None:
            return open_postgres(self.server)
        with opening(self):
            return open_sqlite(self.file)

    def has_tables(self) -> bool:
        """Whether Optuna's tables are there; only a driver makes them. Raises UnusableStudy,
        ServerLost."""
        if self.server is not None:
            return postgres_has_tables(self.server)
        with opening(self):
            return self.file.exists() and sqlite_has_tables(self.file)

    def find(self, storage: RDBStorage) -> str | None:
        """The name of the study, if it is there. Raises UnusableStudy."""
        with sound(self):
            names = optuna.get_all_study_names(storage)
            if self.server is None:
                return mine(storage, names)
            return self.study if self.study in names else None

    def begun(self) -> bool:
        """Whether there is a study: its making may have been interrupted after the tables."""
        return self.has_tables() and self.find(self.open()) is not None

    @classmethod
    def of(cls, file: Path, note: Path) -> Self:
        """What a study's folder says: SQLite, unless it has a note that names a server. Raises
        UnusableStudy, and Unusable for a URL that cannot be used."""
        if not note.exists():
            return cls(file)
        right = "Bring it back as it was, or search in a new folder: --study FOLDER."
        kept = read_record(Note, note, right, UnusableStudy)
        return cls(file, server_url(kept.url), kept.study)

    def keep(self, note: Path) -> None:
        """Write down the server and the study's name there."""
        assert self.server is not None
        assert self.study is not None
        kept = Note(url=shown(self.server), study=self.study)
        write_text(note, kept.model_dump_json(indent=1) + "\n")


def asked(given: str, known: Database, folder: Path) -> Database:
    """The database that a search names for the study of a folder. One on a server keeps its name,
    wherever the server is by now. Raises Unusable."""
    server = server_url(given)
    if known.server is None and known.begun():
        wrong = f"is not where the trials of {folder} are: they are in {known.file}"
        right = "Leave --storage out, or name another folder: --study FOLDER."
        raise Unusable(f"storage {shown(server)}", wrong, right)
    study = known.study or f"{folder.name}-{secrets.token_hex(4)}"
    return Database(known.file, server, study[-LONGEST:])


LONGEST = 500
"""Letters of a study's name that Optuna's tables have room for, a dozen less."""


SPOILED = (
    ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError,
    AssertionError,
)  # fmt: skip
"""What Optuna ends with where a cell of its tables is not of the kind that it wrote."""


@contextmanager
def sound(database: Database) -> Iterator[None]:
    """Raise UnusableStudy where Optuna cannot read what is in its tables, or SQLite its file."""
    try:
        yield
    except SPOILED as error:
        wrong = f"has cells that are not as they were written ({error})"
        right = "Bring it back as it was, or search in a new folder: --study FOLDER."
        raise UnusableStudy(str(database), wrong, right) from error
    except (DBAPIError, StorageInternalError) as error:
        if database.server is not None:
            raise
        raise unusable(database, error) from error


@contextmanager
def opening(database: Database) -> Iterator[None]:
    """Raise UnusableStudy if SQLite's file is damaged, or cannot be made, read or written."""
    try:
        yield
    except (DBAPIError, StorageInternalError, sqlite3.Error, OSError, RuntimeError) as error:
        raise unusable(database, error) from error


@contextmanager
def writing(database: Database) -> Iterator[None]:
    """Raise UnusableStudy where a trial or a fact cannot be written."""
    try:
        yield
    except StorageInternalError as error:
        raise unusable(database, error) from error


USABLE = "It must be whole, and you must be allowed to use it: mend it, or copy the study."

ADVICE = {
    sqlite3.SQLITE_FULL: ROOM,
    sqlite3.SQLITE_IOERR: f"{ROOM} Where there is room, the disk may be damaged.",
    sqlite3.SQLITE_READONLY: "Have the right to write there, then run the same again.",
    sqlite3.SQLITE_BUSY: "Another program holds it: end that, then run the same again.",
}
"""What would be right, by SQLite's code of what is wrong."""


def unusable(database: Database, error: Exception) -> UnusableStudy:
    """What is said of a database that cannot be read or written."""
    *_, cause = chain_of(error)
    right = ADVICE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, USABLE)
    if getattr(cause, "errno", None) in FULL:
        right = ROOM
    return UnusableStudy(str(database), f"cannot be used ({plain(cause)})", right)


def mine(storage: RDBStorage, names: list[str]) -> str | None:
    """The name of the study that nas-kd made, where somebody put others beside it; else of the
    first; None if there is none."""
    made = [
        name
        for name in names
        if "spec" in storage.get_study_user_attrs(storage.get_study_id_from_name(name))
    ]
    return next(iter([*made, *names]), None)
