"""A Dask cluster of a test's own on loopback, whose workers do not see the study's files."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.postgres import free_port

DASK = Path(sys.executable).with_name("dask")
ROOT = Path(__file__).parents[2]


@dataclass
class Cluster:
    """A scheduler and workers that come and go."""

    root: Path
    scheme: str = "tcp"
    port: int = field(default_factory=free_port)
    scheduler: "subprocess.Popen[bytes] | None" = None
    workers: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where the scheduler is."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the scheduler."""
        command = [DASK, "scheduler", "--host", "127.0.0.1", "--port", str(self.port),
                   "--protocol", self.scheme, "--no-dashboard", "--no-show"]  # fmt: skip
        self.scheduler = self._run("scheduler", command)

    def restart(self) -> None:
        """Have another scheduler at the same address at once; workers of the first one end."""
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()
        self.start()

    def stop(self) -> None:
        """Stop the scheduler; its workers end, too."""
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()
        for worker in self.workers.values():
            worker.wait(timeout=60)
        self.workers.clear()

    def join(self, name: str, hidden: Path | None = None, **more: str) -> None:
        """Start a worker with a cache of its own. It does not see what is in the hidden folder, as
        on another machine."""
        place = self.root / name
        place.mkdir(exist_ok=True)
        command = [DASK, "worker", self.address, "--nthreads", "1", "--no-dashboard",
                   "--local-directory", str(place / "local")]  # fmt: skip
        if hidden is not None and shutil.which("unshare"):
            hide = f'mount -t tmpfs none {hidden} && exec "$@"'
            command = ["unshare", "-m", "sh", "-c", hide, "sh", *command]
        mine = {"NAS_KD_CACHE": str(place / "cache")} | more
        self.workers[name] = self._run(name, command, **mine)

    def kill(self, name: str) -> None:
        """End a worker and its nanny at once."""
        worker = self.workers.pop(name)
        subprocess.run(["pkill", "-9", "-P", str(worker.pid)], check=False)
        worker.kill()
        worker.wait()

    def _run(self, name: str, command: list[Any], **more: str) -> "subprocess.Popen[bytes]":
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | more
        with (self.root / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                command, env=environment, cwd=self.root, stdout=log, stderr=subprocess.STDOUT
            )


@contextmanager
def cluster(root: Path, scheme: str = "tcp") -> Iterator[Cluster]:
    """A cluster with a scheduler and no worker yet."""
    found = Cluster(root, scheme)
    found.start()
    try:
        yield found
    finally:
        for process in (*found.workers.values(), found.scheduler):
            if process is not None:
                process.terminate()
        for process in (*found.workers.values(), found.scheduler):
            if process is not None:
                process.wait(timeout=60)
