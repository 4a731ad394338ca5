"""Workers on other machines, by Dask: the same study, whoever comes and goes."""

import gc
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dask
import pytest

from nas_kd.api import search
from nas_kd.driver.drive import drive
from nas_kd.driver.events import Event, Mended, Step, Told
from nas_kd.driver.options import RunOptions
from nas_kd.errors import Unusable, WorkerDied, WorkerOverdue, WorkFailed
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import StudyView, read_study
from nas_kd.workers.dask_executor import DaskExecutor, connected
from tests.conftest import Run, searched, tiny
from tests.integration.dask import Cluster, cluster
from tests.integration.test_kill import equal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="hides folders by mounts of its own"),
]

FIXED = {"trials": 12, "epochs": 3, "rungs": [1], "batch": 64}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> StudyView:
    """The study in this process."""
    return searched(tmp_path_factory.mktemp("here") / "study", **FIXED)


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """Dask leaves a socket open whose other end was killed while it was being connected."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "cluster").mkdir()
    with cluster(tmp_path / "cluster") as found:
        yield found


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a driver's study and its cache, which no worker sees."""
    place = tmp_path / "driver"
    place.mkdir()
    monkeypatch.setenv("NAS_KD_CACHE", str(place / "cache"))
    return place


def driven(place: Path, address: str, observe: Any = lambda event: None) -> list[str]:
    """Search with a cluster; what was said of it."""
    said: list[str] = []

    def both(event: Event) -> None:
        if isinstance(event, Mended) or (isinstance(event, Step) and "cluster" in event.text):
            said.append(event.text)
        observe(event)

    drive(tiny(**FIXED), RunOptions(place / "study", 1, cluster=address), both)
    return said


def test_three_workers_that_see_no_file_of_the_study_give_the_same(
    running: Cluster, whole: StudyView, alone: Path, tmp_path: Path
) -> None:
    for name in ("one", "two", "three"):
        running.join(name, hidden=alone)
    driven(alone, running.address)
    equal(read_study(StudyFolder(alone / "study")), whole)
    for name in ("one", "two", "three"):
        if not (running.root / name / "cache" / "shipped").exists():
            continue  # it came when there was nothing left to do
        shipped = list((running.root / name / "cache" / "shipped").iterdir())
        assert len(shipped) == len({path.stem for path in shipped}) > 0


def test_a_study_outlives_its_workers_and_its_scheduler(
    running: Cluster, whole: StudyView, alone: Path
) -> None:
    running.join("one", hidden=alone)
    running.join("two", hidden=alone)
    told: list[int] = []

    def observe(event: Event) -> None:
        if not isinstance(event, Told):
            return
        told.append(event.student.number)
        if len(told) == 2:
            running.kill("one")
            running.join("late", hidden=alone)
        if len(told) == 6:
            running.stop()
            threading.Timer(3, again).start()

    def again() -> None:
        running.start()
        running.join("three", hidden=alone)

    said = "\n".join(driven(alone, running.address, observe))
    equal(read_study(StudyFolder(alone / "study")), whole)
    assert "went away, and is waited for" in said
    assert "is back" in said


def test_a_file_is_sent_to_each_cache_once(running: Cluster, alone: Path) -> None:
    large = alone / "large.npy"
    large.write_bytes(os.urandom(3_000_000))
    said: list[str] = []
    running.join("one", hidden=alone)
    running.join("two", hidden=alone)
    running.join("beside", hidden=alone, NAS_KD_CACHE=str(running.root / "two" / "cache"))
    with DaskExecutor(running.address, say=said.append) as executor:
        while executor.workers < 3:
            time.sleep(0.1)
        sizes = [executor.submit(size_of, str(large)) for _ in range(12)]
        assert {size.result(timeout=60) for size in sizes} == {3_000_000}
    assert sum("large.npy, 3 MB, was sent to" in line for line in said) == 2


def size_of(path: str) -> int:
    time.sleep(0.5)
    return os.path.getsize(path)


def test_a_job_that_runs_when_the_scheduler_goes_away_is_done_again(
    running: Cluster, tmp_path: Path
) -> None:
    said: list[str] = []
    running.join("one")
    with DaskExecutor(running.address, say=said.append, lost=said.append) as executor:
        future = executor.submit(slowly, str(tmp_path / "begun"))
        while not (tmp_path / "begun").exists():
            time.sleep(0.1)
        running.restart()
        running.join("two")
        assert future.result(timeout=120) == 7
    assert [line for line in said if "scheduler" in line] == [
        f"the scheduler {running.address} went away, and is waited for, up to 10 minutes",
        f"the scheduler {running.address} is back",
    ]


def slowly(mark: str) -> int:
    Path(mark).touch()
    time.sleep(5)
    return 7


def test_jobs_wait_for_the_first_worker(running: Cluster, alone: Path) -> None:
    with DaskExecutor(running.address) as executor:
        future = executor.submit(os.getpid)
        time.sleep(1)
        assert not future.done()
        running.join("late")
        assert future.result(timeout=120) != os.getpid()
        assert executor.workers == 1


def die() -> None:
    os._exit(3)


def test_a_job_that_ends_its_process_or_hangs_leaves_the_worker_alive(running: Cluster) -> None:
    running.join("one")
    with DaskExecutor(running.address, limit=10) as executor:
        first = executor.submit(os.getpid).result(timeout=120)
        with pytest.raises(WorkerDied):
            executor.submit(die).result(timeout=60)
        with pytest.raises(WorkerOverdue):
            executor.submit(time.sleep, 60).result(timeout=60)
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result(timeout=60)
        assert executor.submit(os.getpid).result(timeout=60) != first
        assert executor.submit(thread_count).result(timeout=60) == 1


def thread_count() -> int:
    import torch

    return torch.get_num_threads()


def test_a_worker_that_goes_away_in_the_middle_of_a_job_is_a_worker_that_died(
    running: Cluster,
) -> None:
    running.join("one")
    with DaskExecutor(running.address) as executor:
        executor.submit(os.getpid).result(timeout=120)
        future = executor.submit(time.sleep, 100)
        time.sleep(2)
        running.kill("one")
        with pytest.raises(WorkerDied, match="went away"):
            future.result(timeout=60)


def test_a_driver_that_is_killed_leaves_no_job_behind(running: Cluster, tmp_path: Path) -> None:
    running.join("one")
    mark = tmp_path / "running"
    program = (
        "import sys, time, pathlib\n"
        "from nas_kd.workers.dask_executor import DaskExecutor\n"
        "from tests.integration.test_dask import beat\n"
        f"DaskExecutor({running.address!r}).submit(beat, {str(mark)!r} + '.').result()\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", program], env=os.environ)
    beats = Path(f"{mark}.")
    until = time.monotonic() + 120
    while not beats.exists():
        assert time.monotonic() < until
        time.sleep(0.1)
    driver.kill()
    driver.wait()
    time.sleep(8)
    before = beats.stat().st_mtime_ns
    time.sleep(1)
    assert beats.stat().st_mtime_ns == before


def beat(path: str) -> None:
    while True:
        Path(path).touch()
        time.sleep(0.05)


def test_a_worker_that_computes_otherwise_is_refused(running: Cluster, alone: Path) -> None:
    running.join("other", ATEN_CPU_CAPABILITY="default")
    while "Registered" not in (running.root / "other.log").read_text():
        time.sleep(0.1)
    with pytest.raises(Unusable, match="has no worker like this machine") as raised:
        DaskExecutor(running.address)
    assert "computes as" in str(raised.value)
    running.join("alike")
    while "Registered" not in (running.root / "alike.log").read_text():
        time.sleep(0.1)
    with DaskExecutor(running.address) as executor:
        assert executor.submit(os.getpid).result(timeout=120)
        assert executor.workers == 1


def test_certificates_are_those_of_dasks_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
         certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    files = {"ca-file": certificate}
    for who in ("scheduler", "worker", "client"):
        files |= {f"{who}.cert": certificate, f"{who}.key": key}
    tls = {f"distributed.comm.tls.{name}": str(path) for name, path in files.items()}
    for name, path in files.items():
        said = name.upper().replace(".", "__").replace("-", "_")
        monkeypatch.setenv(f"DASK_DISTRIBUTED__COMM__TLS__{said}", str(path))
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION", "true")
    with cluster(tmp_path, "tls") as found, dask.config.set(tls):
        found.join("one")
        with DaskExecutor(found.address) as executor:
            assert executor.submit(os.getpid).result(timeout=120) != os.getpid()
        with pytest.raises(Unusable, match="cannot be reached"):
            DaskExecutor(found.address.replace("tls", "tcp"))


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("tcp://127.0.0.1:1", "cannot be reached"),
        ("localhost", "is no address of a scheduler"),
        ("ssh://host:1", "is no address of a scheduler"),
    ],
)
def test_a_scheduler_that_is_not_there_is_one_message(
    address: str, wrong: str, run: Run, tmp_path: Path
) -> None:
    done = run("search", "--budget", "2k", "--data", "digits", "--executor", address)
    assert done.returncode == 2
    assert wrong in done.stderr
    assert not any(tmp_path.glob("runs/*"))


def test_a_port_on_which_nothing_is_said_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unusable, match="cannot be reached"):
            connected(address, 1)


def test_a_clusters_workers_are_neither_counted_nor_gpus(run: Run) -> None:
    asked = ("search", "--budget", "2k", "--data", "digits", "--executor", "tcp://127.0.0.1:1")
    assert "--workers 3: is for processes" in run(*asked, "--workers", "3").stderr


def test_an_executor_of_processes_of_the_users_gives_the_same_and_stays_open(
    whole: StudyView, tmp_path: Path
) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as mine:
        spec = tiny(**FIXED)
        settings = spec.model_dump(exclude_defaults=True)
        budget, data = settings.pop("budget"), settings.pop("data")
        search(budget, data=data, study=tmp_path / "study", executor=mine, quiet=True, **settings)
        assert mine.submit(os.getpid).result() != os.getpid()
        equal(read_study(StudyFolder(tmp_path / "study")), whole)
        mine.submit(die)
        with pytest.raises(WorkFailed, match="the executor broke"):
            search(budget, data=data, study=tmp_path / "b", executor=mine, quiet=True, **settings)


def test_threads_are_refused(tmp_path: Path) -> None:
    with (
        ThreadPoolExecutor(2) as threads,
        pytest.raises(Unusable, match="needs a process of its own"),
    ):
        search("2k", data="digits", study=tmp_path / "study", executor=threads, quiet=True)
