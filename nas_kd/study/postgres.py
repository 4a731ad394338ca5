"""A PostgreSQL server that keeps the trials of studies.

Its URL is shown, kept and advised without a password; libpq finds one in the file that PGPASSFILE
names. A connection that is lost, or a server without room, is the exception ServerLost, whatever
was being done.
"""

import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from nas_kd.errors import ServerLost, Unusable, UnusableStudy

READABLE = "Write postgresql://USER@HOST:5432/DATABASE, with the password in a file: PGPASSFILE."
DRIVER = "postgresql+psycopg"
WAYS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "tcp_user_timeout": 30_000,  # milliseconds, then a line that is silent counts as cut
    "options": "-c tcp_keepalives_idle=10 -c tcp_user_timeout=25000",
}
"""How connections are made, so that both sides soon notice when the other is gone."""

PASSWORDS: dict[URL, str] = {}
"""The password of each place that was named with one; for libpq alone."""


def server_url(given: str) -> URL:
    """The URL of a database, as SQLAlchemy takes it. Raises Unusable, and never shows more of what
    was given than its beginning."""
    scheme = given.partition(":")[0]
    if scheme not in ("postgresql", "postgres", DRIVER):
        raise Unusable(f"storage {scheme!r}", "is no PostgreSQL server", READABLE)
    try:
        url = make_url(given)
    except (ArgumentError, ValueError) as error:
        raise Unusable(f"storage {scheme}://...", "cannot be read", READABLE) from error
    if "@" in (url.host or "") or "\0" in str(url.password):
        wrong = "cannot be read: it has an @ or an odd letter in its password"
        raise Unusable(f"storage {scheme}://...", wrong, f"Write @ there as %40. {READABLE}")
    if not url.database:
        raise Unusable(f"storage {shown(url)}", "names no database", READABLE)
    if find_spec("psycopg") is None:
        right = "Install the extra: pip install 'nas-kd[postgres]'"
        raise Unusable(f"storage {shown(url)}", "needs the package 'psycopg'", right)
    if any(map(secret, url.query.items())):
        raise Unusable(f"storage {shown(url)}", "has a password after its '?'", READABLE)
    place = without_password(url, DRIVER)
    if url.password is not None:
        PASSWORDS[place] = str(url.password)
    return place


def ways(url: URL) -> dict[str, Any]:
    """How connections to a place are made; what its URL says after the '?' goes first."""
    said = url.query
    mine = {name: value for name, value in WAYS.items() if name not in said}
    if "options" in said:
        mine["options"] = f"{WAYS['options']} {said['options']}"
    return mine | ({"password": PASSWORDS[url]} if url in PASSWORDS else {})


def shown(url: URL) -> str:
    """The URL without its password."""
    return without_password(url, "postgresql").render_as_string()


def secret(part: tuple[str, Any]) -> bool:
    """Whether a part of a URL after its '?' may be a password."""
    return "password" in str(part).lower()


def without_password(url: URL, driver: str) -> URL:
    """The same place, as the same user."""
    query = dict(part for part in url.query.items() if not secret(part))
    return URL.create(
        driver, url.username, host=url.host, port=url.port, database=url.database, query=query
    )


def open_postgres(url: URL) -> RDBStorage:
    """Optuna's tables in this database, made if there are none.

    Raises ServerLost where no connection is to be had, UnusableStudy for tables that Optuna cannot
    use.
    """
    engine = create_engine(url, poolclass=NullPool, connect_args=ways(url))
    with reaching(url), engine.connect() as connection:
        # Optuna fails where two processes make its tables at once
        connection.execute(text("SELECT pg_advisory_lock(hashtext('nas-kd tables'))"))
        template = url.render_as_string().replace("{", "{{").replace("}", "}}")
        kwargs = {"pool_pre_ping": True, "connect_args": ways(url)}
        storage = RDBStorage(template, engine_kwargs=kwargs)
    event.listen(storage.engine, "handle_error", lost)
    weakref.finalize(storage, storage.engine.dispose)
    return storage


def postgres_has_tables(url: URL) -> bool:
    """Whether a database has Optuna's tables; another program's is left as it is. Raises
    ServerLost, UnusableStudy."""
    engine = create_engine(url, poolclass=NullPool, connect_args=ways(url))
    with reaching(url), engine.connect() as connection:
        return connection.execute(text("SELECT to_regclass('studies')")).scalar() is not None


@contextmanager
def reaching(url: URL) -> Iterator[None]:
    """Raise ServerLost where no connection is to be had, UnusableStudy for what cannot be used."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, RuntimeError) as error:
        causes = list(chain_of(error))
        if any(map(of_connection, causes)):
            raise away(shown(url), "cannot be reached", causes[-1]) from error
        right = "Mend it as it says, or name another database."
        raise UnusableStudy(shown(url), f"cannot be used ({plain(causes[-1])})", right) from error


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what it came from."""
    while error is not None:
        yield error
        error = error.orig if isinstance(error, DBAPIError) else error.__cause__


def lost(context: ExceptionContext) -> None:
    """Raise ServerLost for an error of the connection: Optuna would try again by itself, and so
    double a trial whose answer was lost."""
    if not context.is_pre_ping and of_connection(context.original_exception):
        given = "the server" if context.engine is None else shown(context.engine.url)
        error = context.original_exception
        raise away(given, "does not answer", error) from error


def away(given: str, how: str, error: BaseException) -> ServerLost:
    """What is said of a server that is lost: one whose disk is full is there, and cannot write."""
    from psycopg.errors import DiskFull

    if isinstance(error, DiskFull):
        right = "Make room on its disk, then run the same again: what is done is kept."
        return ServerLost(given, f"has no room ({plain(error)})", right)
    return ServerLost(given, f"{how} ({plain(error)})")


def of_connection(error: BaseException) -> bool:
    """Whether an error of psycopg is one of the connection, not of what was asked."""
    from psycopg import InterfaceError, OperationalError

    return isinstance(error, OperationalError | InterfaceError)


def plain(error: BaseException) -> str:
    """The first line of an error, which says why."""
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__


class AdvisoryLock:
    """A lock of the server's own, which is free as soon as its holder's connection is gone."""

    def __init__(self, url: URL, name: str) -> None:
        self._engine: Engine = create_engine(
            url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=ways(url)
        )
        event.listen(self._engine, "handle_error", lost)
        self._name = {"name": name}
        self._connection: Connection | None = None
        self.taken = 0
        """How often the lock was taken: again, once a connection was lost."""

    def held(self) -> bool:
        """Whether the lock is ours: it is taken where nobody has it. Raises ServerLost."""
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))
                return True
            self._connection = self._engine.connect()
            return self._taken()
        except PendingRollbackError as error:
            self.release()
            given = shown(self._engine.url)
            raise ServerLost(given, "does not answer (the connection was cut)") from error
        except ServerLost:
            self.release()
            raise

    def _taken(self) -> bool:
        assert self._connection is not None
        asked = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
        taken = bool(self._connection.execute(asked, self._name).scalar())
        self.taken += taken
        if not taken:
            self.release()
        return taken

    def release(self) -> None:
        """Give the lock back, if it is ours; a server that is away has done so itself."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except (ServerLost, SQLAlchemyError):
                connection.invalidate()


T = TypeVar("T")

PATIENCE = 60.0
"""Seconds for which a server that went away is waited for."""


def patiently(call: Callable[[], T], say: Callable[[str], None] = lambda text: None) -> T:
    """What the call gives; where the server is lost it is made again for a minute, and `say` is
    told so once. Raises ServerLost. Other storages are never lost."""
    began, told = time.monotonic(), False
    while True:
        try:
            return call()
        except (ServerLost, StorageInternalError) as error:
            if not (
                isinstance(error, ServerLost) or isinstance(error.__cause__, PendingRollbackError)
            ):
                raise
            if time.monotonic() - began > PATIENCE:
                raise
            if not told:
                say(str(error).partition(". ")[0])
            told = True
            time.sleep(0.5)
