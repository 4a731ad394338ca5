"""A PostgreSQL server of a test's own, and a line to it that loses answers."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
SECRET = "s3cr{et:/@%"
"""The password of the role `guarded`: with all that a URL or a template could stumble over."""

ACCESS = """
local all all trust
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""

PREPARE = (
    "CREATE DATABASE studies",
    "CREATE DATABASE secret",
    f"CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '{SECRET}'",
    "CREATE ROLE reader LOGIN",
    "GRANT pg_read_all_data TO reader",
)


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    root: Path
    port: int

    @property
    def url(self) -> str:
        """The database of the tests."""
        return self.of("postgres", self.port)

    @staticmethod
    def of(user: str, port: int, database: str = "studies") -> str:
        """The database as somebody sees it, through a port."""
        return f"postgresql://{user}@127.0.0.1:{port}/{database}"

    def command(self, name: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, not as root."""
        user = "postgres" if os.getuid() == 0 else None
        subprocess.run(
            [BINARIES[-1].with_name(name), *arguments], user=user, check=True, cwd=self.root,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -h 127.0.0.1 -k {self.root} -c fsync=off"
        log = str(self.root / "log")
        self.command("pg_ctl", "-D", str(self.root / "data"), "-o", options, "-l", log, "-w",
                     "start")  # fmt: skip

    def stop(self, how: str = "immediate") -> None:
        """Stop it: `immediate` is as if the machine had lost its power."""
        self.command("pg_ctl", "-D", str(self.root / "data"), "-m", how, "-w", "stop")

    def run(self, sql: str, database: str = "postgres") -> None:
        """Have it do something."""
        import psycopg

        with psycopg.connect(self.of("postgres", self.port, database), autocommit=True) as line:
            line.execute(sql)


@contextmanager
def server(place: Path | None = None) -> Iterator[Server]:
    """A server in an empty folder, or in a new one of this place. Where there is none, the tests
    are skipped, or fail in CI."""
    if not BINARIES:
        reason = "needs a PostgreSQL server: apt-get install postgresql"
        pytest.fail(reason) if os.environ.get("NAS_KD_CI") else pytest.skip(reason)
    root = Path(tempfile.mkdtemp(prefix="pg-", dir=place))
    if os.getuid() == 0:
        shutil.chown(root, "postgres")
    found = Server(root, free_port())
    try:
        found.command("initdb", "-D", str(root / "data"), "-U", "postgres", "-A", "trust", "-N")
        (root / "data" / "pg_hba.conf").write_text(ACCESS)
        found.start()
        for sql in PREPARE:
            found.run(sql)
        yield found
        found.stop()
    finally:
        shutil.rmtree(root)


@contextmanager
def line(port: int, cut: Callable[[bytes], bool]) -> Iterator[int]:
    """A port that leads to another; after a message for which `cut` says so, the server still gets
    it and answers it, but both ends are closed before the answer arrives."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", port))
            lost = threading.Event()
            for one, other, asks in ((near, far, True), (far, near, False)):
                threading.Thread(target=pass_on, args=(one, other, asks, lost), daemon=True).start()

    def pass_on(
        one: socket.socket, other: socket.socket, asks: bool, lost: threading.Event
    ) -> None:
        with one, suppress(OSError):
            while message := one.recv(2**16):
                if asks and cut(message):
                    lost.set()
                elif not asks and lost.is_set():
                    break
                other.sendall(message)
            other.shutdown(socket.SHUT_RDWR)
            one.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1]
    listening.close()
