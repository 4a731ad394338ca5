"""A study's trials in one file: SQLite, which is the default."""

import atexit
import os
import secrets
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from optuna.storages import RDBStorage
from sqlalchemy import event


def open_sqlite(path: Path) -> RDBStorage:
    """SQLite in WAL mode, whose transactions take the write lock when they begin.

    So readers (a dashboard) never block the search, and a second writer waits instead of failing.
    """
    if not path.exists():
        make(path)
    storage = RDBStorage(url_of(at_hand(path)), engine_kwargs={"connect_args": {"timeout": 60}})

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


def sqlite_has_tables(path: Path) -> bool:
    """Whether a file that is there has Optuna's tables; another program's is left as it is."""
    place = f"file:{quote(str(at_hand(path).resolve()))}?mode=ro"
    with closing(sqlite3.connect(place, uri=True, timeout=60)) as connection:
        asked = "SELECT count(*) FROM sqlite_master WHERE name = 'studies'"
        return bool(connection.execute(asked).fetchone()[0])


def url_of(path: Path) -> str:
    """A file's URL, as Optuna takes it: a template."""
    return f"sqlite:///{path.resolve()}".replace("{", "{{").replace("}", "}}")


def make(path: Path) -> None:
    """Put a database with Optuna's tables there, at once: one that is opened elsewhere while its
    tables are made ends both."""
    new = path.with_name(f".{path.name}.{os.getpid()}-{secrets.randbelow(10**9)}")
    try:
        storage = RDBStorage(url_of(new))
        with storage.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        storage.engine.dispose()
        try:
            os.link(new, path)
        except FileExistsError:
            return  # another driver was first
        except OSError:
            os.replace(new, path)  # a file system without links
    finally:
        new.unlink(missing_ok=True)


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
