"""Studies on a PostgreSQL server: found by name, the same as in a file, and none is doubled or lost
when the server or the line to it goes away."""

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nas_kd.driver.drive import drive
from nas_kd.driver.events import Event, Mended, Planned, Step, Told
from nas_kd.driver.log import line as as_logged
from nas_kd.driver.options import RunOptions
from nas_kd.errors import ServerLost, StudyLocked, Unusable
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder
from nas_kd.study.lease import lease
from nas_kd.study.postgres import PASSWORDS, open_postgres, postgres_has_tables, server_url, ways
from nas_kd.study.view import StudyView, read_study
from tests.conftest import Run, results, searched, tiny
from tests.integration.drive import SPEC
from tests.integration.postgres import SECRET, Server, line, server
from tests.integration.test_kill import drive as driver

pytestmark = pytest.mark.slow

SMALL = SPEC | {"trials": 8, "generation": 4, "epochs": 2, "rungs": []}


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with server() as found:
        yield found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> StudyView:
    """The same study in a file."""
    return searched(tmp_path_factory.mktemp("file") / "study", **SMALL)


def search(folder: Path, url: str, workers: int = 0) -> tuple[StudyView, list[Event]]:
    said: list[Event] = []
    drive(tiny(**SMALL), RunOptions(folder, workers, storage=url), said.append)
    return read_study(StudyFolder(folder)), said


def lines(events: list[Event]) -> str:
    return "\n".join(as_logged(event) for event in events if isinstance(event, Step | Mended))


def test_a_study_on_a_server_is_the_study_in_a_file(
    running: Server, whole: StudyView, tmp_path: Path
) -> None:
    view, _ = search(tmp_path / "study", running.url, 2)
    assert results(view) == results(whole)
    assert not view.folder.sqlite.exists()
    assert results(search(tmp_path / "other" / "study", running.url)[0]) == results(whole)
    assert len(read_study(view.folder).rows) == 8, "a study of the same folder's name beside it"


def test_what_is_kept_finds_the_study_again(running: Server, tmp_path: Path) -> None:
    view, _ = search(tmp_path / "study", running.url)
    kept = json.loads(view.folder.storage.read_text())
    assert kept["url"] == running.url
    drive(tiny(**SMALL | {"trials": 10}), RunOptions(tmp_path / "study", 0), lambda event: None)
    assert len(read_study(view.folder).rows) == 10
    moved = tmp_path / "moved"
    shutil.move(tmp_path / "study", moved)
    with line(running.port, lambda message: False) as port:
        url = Server.of("postgres", port)
        drive(tiny(**SMALL | {"trials": 12}), RunOptions(moved, 0, storage=url), lambda event: None)
        assert json.loads((moved / "storage.json").read_text()) == kept | {"url": url}
        assert len(read_study(StudyFolder(moved)).rows) == 12


def test_commands_read_it_and_need_no_right_to_write(
    running: Server, tmp_path: Path, run: Run
) -> None:
    view, _ = search(tmp_path / "study", running.url)
    kept = json.loads(view.folder.storage.read_text())
    reading = kept | {"url": Server.of("reader", running.port)}
    view.folder.storage.write_text(json.dumps(reading))
    done = run("trials", "study")
    assert (done.returncode, done.stderr) == (0, "")
    assert run("report", "study").returncode == 0
    assert run("export", "study").returncode == 0


def test_a_server_that_is_away_for_a_while_is_waited_for(
    running: Server, whole: StudyView, tmp_path: Path
) -> None:
    told = []

    def away() -> None:
        running.stop()
        time.sleep(20)
        running.start()

    def observe(event: Event) -> None:
        told.append(event)
        if sum(isinstance(one, Told) for one in told) == 3 and isinstance(event, Told):
            stopping.start()
            time.sleep(1)

    stopping = threading.Thread(target=away)
    drive(tiny(**SMALL), RunOptions(tmp_path / "study", 0, storage=running.url), observe)
    stopping.join()
    assert results(read_study(StudyFolder(tmp_path / "study"))) == results(whole)
    assert f"storage   {running.url}: " in lines(told)
    assert "it is waited for" in lines(told)


def test_a_server_that_stays_away_is_one_message_and_nothing_is_lost(
    running: Server, whole: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas_kd.study.postgres.PATIENCE", 2.0)
    folder, told = tmp_path / "study", []

    def observe(event: Event) -> None:
        told.append(event)
        if sum(isinstance(one, Told) for one in told) == 3 and isinstance(event, Told):
            running.stop()

    with pytest.raises(ServerLost, match=r"does not answer|cannot be reached"):
        drive(tiny(**SMALL), RunOptions(folder, 0, storage=running.url), observe)
    running.start()
    drive(tiny(**SMALL), RunOptions(folder, 0), lambda event: None)
    assert results(read_study(StudyFolder(folder))) == results(whole)


@pytest.mark.parametrize("every", [3, 5, 7])
def test_an_answer_that_is_lost_after_its_commit_doubles_nothing(
    every: int, running: Server, whole: StudyView, tmp_path: Path
) -> None:
    commits: list[int] = []
    said: list[Event] = []

    def cut(message: bytes) -> bool:
        if b"COMMIT" in message and any(isinstance(event, Planned) for event in said):
            commits.append(1)
        return b"COMMIT" in message and len(commits) % every == every - 1

    with line(running.port, cut) as port:
        url = Server.of("postgres", port)
        drive(tiny(**SMALL), RunOptions(tmp_path / "study", 0, storage=url), said.append)
        assert len(commits) > 50
        assert "it is waited for" in lines(said)
    known = json.loads((tmp_path / "study" / "storage.json").read_text())
    (tmp_path / "study" / "storage.json").write_text(json.dumps(known | {"url": running.url}))
    assert results(read_study(StudyFolder(tmp_path / "study"))) == results(whole)


@pytest.mark.parametrize("moment", [("proposal", "2"), ("tell", "6")])
def test_a_killed_driver_is_followed_at_once(
    moment: tuple[str, str],
    running: Server,
    whole: StudyView,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STORAGE_OF_TEST", running.url)
    small = json.dumps(SMALL)
    assert driver(tmp_path / "study", "1", *moment, "driver", small).wait() == -9
    assert driver(tmp_path / "study", "1", "", "0", "", small).wait() == 0
    assert results(read_study(StudyFolder(tmp_path / "study"))) == results(whole)


def test_a_second_driver_is_refused_in_whatever_folder(running: Server, tmp_path: Path) -> None:
    view, _ = search(tmp_path / "study", running.url)
    shutil.copytree(tmp_path / "study", tmp_path / "copy")
    ledgers = [Ledger.open(StudyFolder(tmp_path / name).database) for name in ("study", "copy")]
    with lease(ledgers[0], "study", "process 7 on there") as expect_held:
        began = time.monotonic()
        with (
            pytest.raises(StudyLocked, match="process 7 on there"),
            lease(ledgers[1], "copy", "process 8 on here"),
        ):
            pass
        assert time.monotonic() - began < 5
        running.run("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        expect_held()  # its connection was cut, and it takes the lock again
        running.run("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        with (
            lease(ledgers[1], "copy", "process 8 on here"),
            pytest.raises(StudyLocked, match="process 8 on here"),
        ):
            expect_held()
    assert len(view.rows) == 8


def test_drivers_that_begin_at_once_in_an_empty_database_both_search(
    running: Server, whole: StudyView, tmp_path: Path
) -> None:
    running.run("CREATE DATABASE fresh")
    url = Server.of("postgres", running.port, "fresh")
    with ThreadPoolExecutor(4) as threads:
        ready = [threads.submit(open_postgres, server_url(url)) for _ in range(4)]
        for one in ready:
            one.result()
    assert results(search(tmp_path / "study", url)[0]) == results(whole)


def test_a_password_is_neither_kept_nor_shown(
    running: Server, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urllib.parse import quote

    bare = Server.of("guarded", running.port, "secret")
    asked = ("search", "--budget", "2k", "--data", "digits", "--trials", "2", "--epochs", "1",
             "--fix", "teacher_epochs=1", "--workers", "0", "--study", "study")  # fmt: skip
    wrong = run(*asked, "--storage", bare.replace("@", f":{quote('wro:ng', safe='')}@", 1))
    assert wrong.returncode == 2
    assert "wro" not in wrong.stdout + wrong.stderr
    assert not (tmp_path / "study").exists()
    right = run(*asked, "--storage", bare.replace("@", f":{quote(SECRET, safe='')}@", 1))
    assert right.returncode == 0, right.stderr
    said = [right.stdout, right.stderr, *(path.read_text(errors="replace") for path in
            (tmp_path / "study").rglob("*") if path.is_file())]  # fmt: skip
    assert not any("s3cr" in text for text in said)
    assert bare in (tmp_path / "study" / "storage.json").read_text()
    assert SECRET not in os.environ.values()
    elsewhere = server_url(bare.replace("guarded", "postgres"))
    assert "password" in ways(server_url(bare))
    assert "password" not in ways(elsewhere)
    PASSWORDS.clear()  # as in another process
    without = run("trials", "study")
    assert (without.returncode, "PGPASSFILE" in without.stderr) == (2, True)
    passes = tmp_path / "passes"
    escaped = SECRET.replace(":", r"\:")
    passes.write_text(f"127.0.0.1:{running.port}:secret:guarded:{escaped}\n")
    passes.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passes))
    assert run("trials", "study").returncode == 0


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("mysql://root@host/studies", "is no PostgreSQL server"),
        ("postgresql://host", "names no database"),
        ("postgresql://host:what/studies", "cannot be read"),
        ("postgresql://host/studies?password=s3cret", "has a password after its"),
        ("postgresql://host/studies?options=-c%20password%3ds3cret", "has a password after its"),
        ("postgresql://ana:x@s3cret@host/studies", "Write @ there as %40"),
        ("postgresql://ana:s3cret%00@host/studies", "an odd letter in its password"),
        ("postgresql://postgres@127.0.0.1:1/studies", "cannot be reached"),
    ],
)
def test_a_storage_that_cannot_be_used_is_said_before_anything_is_trained(
    url: str, wrong: str, tmp_path: Path
) -> None:
    with pytest.raises(Unusable, match=wrong) as raised:
        search(tmp_path / "study", url)
    assert "s3cret" not in str(raised.value)
    assert not (tmp_path / "study").exists()


def test_reading_makes_no_tables_in_another_programs_database(
    running: Server, tmp_path: Path, run: Run
) -> None:
    other = Server.of("postgres", running.port, "fresh2")
    running.run("CREATE DATABASE fresh2")
    search(tmp_path / "study", running.url)
    note = tmp_path / "study" / "storage.json"
    note.write_text(note.read_text().replace(running.url, other))
    done = run("trials", str(tmp_path / "study"))
    assert (done.returncode, "holds no study" in done.stderr) == (2, True)
    assert not postgres_has_tables(server_url(other))


def test_a_study_in_a_file_stays_there(running: Server, tmp_path: Path) -> None:
    searched(tmp_path / "study")
    with pytest.raises(Unusable, match="is not where the trials of"):
        search(tmp_path / "study", running.url)
