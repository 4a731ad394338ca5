"""Where everything of a study lies, and who may write there."""

import contextlib
import fcntl
import os
import re
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from nas_kd.data.transfer import TransferSet
from nas_kd.errors import InvalidSpec, SpecDiffers, StudyLocked, UnusableStudy
from nas_kd.files import TEMPORARY, expect_utf8, unwritable, write_text
from nas_kd.spec import StudySpec
from nas_kd.spec.trust import trust_flag
from nas_kd.study.database import Ledger
from nas_kd.study.storage import Database


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """The files of a study."""

    root: Path

    @property
    def spec(self) -> Path:
        """The spec, as TOML."""
        return self.root / "spec.toml"

    @property
    def database(self) -> Database:
        """Where the Optuna study is. Raises UnusableStudy, and Unusable for a server's URL that
        cannot be used."""
        return Database.of(self.sqlite, self.storage)

    @property
    def sqlite(self) -> Path:
        """The Optuna study, unless a server has it."""
        return self.root / "study.db"

    @property
    def storage(self) -> Path:
        """The server that has the Optuna study, and its name there."""
        return self.root / "storage.json"

    @property
    def lock(self) -> Path:
        """Who searches here, or did."""
        return self.root / "driver.lock"

    @property
    def log(self) -> Path:
        """What happened, a line each."""
        return self.root / "search.log"

    @property
    def mishaps(self) -> Path:
        """What went wrong on the way and was mended, a line each."""
        return self.root / "mishaps.jsonl"

    @property
    def data(self) -> Path:
        """The splits and the normalisation."""
        return self.root / "data.json"

    @property
    def teacher(self) -> Path:
        """The folder of the teacher."""
        return self.root / "teacher"

    @property
    def report(self) -> Path:
        """The report, one page."""
        return self.root / "report.html"

    def signals(self, key: str) -> Path:
        """The folder of the teacher signals of this key."""
        return self.root / "signals" / key

    def checkpoint(self, trial: int, epoch: int) -> Path:
        """A running trial's checkpoint at a rung; its metrics lie beside it as .json."""
        return self.root / "checkpoints" / f"{trial:05}" / f"rung-{epoch}.safetensors"

    def progress(self, job: str) -> Path:
        """A file that grows by a byte with each epoch of a running job."""
        return self.root / "checkpoints" / f"{job}.epochs"

    @property
    def proof(self) -> Path:
        """The validation examples that every completed student answered."""
        return self.root / "students" / "inputs.safetensors"

    @property
    def truth(self) -> Path:
        """What the answers to the validation examples are compared with."""
        return self.root / "students" / "truth.npy"

    def student(self, trial: int) -> Path:
        """The folder of a completed trial's student."""
        return self.root / "students" / f"{trial:05}"

    def control(self, name: str) -> Path:
        """The folder of a control's student, such as `twin of trial 12`."""
        return self.root / "controls" / name.replace(" ", "-")

    @property
    def confirmed(self) -> Path:
        """The folder of what a confirm trained."""
        return self.root / "confirm"

    @property
    def confirmation(self) -> Path:
        """What the last confirm found."""
        return self.root / "confirm.json"

    @property
    def findings(self) -> Path:
        """What the last check of the study found."""
        return self.root / "check.json"

    def read_spec(self) -> StudySpec:
        """The study's spec as it is stored; nothing that it names is imported.

        Raises UnusableStudy.
        """
        if not self.has_spec():
            raise UnusableStudy(
                str(self.root),
                "holds no study",
                "Name the folder of a study, or make one: nas-kd search --budget 20k",
            )
        try:
            return StudySpec.as_stored(StudySpec.read(self.spec, schema=None))
        except InvalidSpec as error:
            wrong = f"cannot be read as it is: {'; '.join(error.problems)}"
            right = "Mend the file, or search in a new folder: --study FOLDER."
            raise UnusableStudy(str(self.root), wrong, right) from error

    def read_data(self) -> TransferSet:
        """The study's data. Raises UnusableStudy."""
        right = "Bring data.json back as it was, or search in a new folder: --study FOLDER."
        try:
            return TransferSet.from_json(self.data.read_text())
        except OSError as error:
            wrong = f"cannot be read ({error.strerror})"
            raise UnusableStudy(str(self.data), wrong, right) from error
        except ValueError as error:
            wrong = f"is not what nas-kd writes there ({error})"
            raise UnusableStudy(str(self.data), wrong, right) from error

    def has_spec(self) -> bool:
        """Whether there is a spec.toml; one that was lost is written again from the database.

        Raises UnusableStudy.
        """
        expect_utf8(self.root)
        self.expect_plain()
        lost = not self.spec.exists() and self.database.begun()
        if lost and (text := Ledger.open(self.database).facts().get("spec")):
            write_text(self.spec, text)
        return self.spec.exists()

    def compare(self, spec: StudySpec) -> None:
        """On resume the spec must be the one that is kept, but for more trials.

        Raises SpecDiffers with the differences.
        """
        if not self.has_spec():
            return
        kept = self.read_spec()
        differences = kept.differences(spec)
        if spec.trials < kept.trials:
            differences += (f"trials: {kept.trials} there, only {spec.trials} asked",)
        if differences:
            flag = trust_flag(kept.model_dump())
            raise SpecDiffers(str(self.root), differences, flag)

    def is_held(self, lock: "Lock") -> bool:
        """Whether the folder is still the one that was locked."""
        try:
            return self.lock.stat().st_ino == lock.inode
        except OSError:
            return False

    def expect_held(self, lock: "Lock") -> None:
        """Raise UnusableStudy if the folder that was locked is not here any more."""
        if not self.is_held(lock):
            wrong = "was moved or removed while it was searched or confirmed"
            right = "Go on where it is now: nas-kd search --study FOLDER, or nas-kd confirm FOLDER."
            raise UnusableStudy(str(self.root), wrong, right)

    def clear(self) -> None:
        """Remove the files that only a running search needs.

        If the search ended before there was a study, remove everything else it wrote, too. A folder
        that lost its spec alone keeps the rest.
        """
        torn = [path for path in self.root.rglob(".*") if TEMPORARY.fullmatch(path.name)]
        for path in (*(self.root / "checkpoints").glob("*.epochs"), *torn):
            path.unlink(missing_ok=True)
        if any(path.exists() for path in (self.spec, self.sqlite, self.proof.parent)):
            return
        for path in (self.teacher, self.root / "signals", self.root / "checkpoints"):
            shutil.rmtree(path, ignore_errors=True)
        for path in (self.log, self.mishaps, self.lock, self.storage):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.root.rmdir()  # only if nothing else is there

    def expect_plain(self) -> None:
        """Raise UnusableStudy where there is a link, which leads elsewhere, or what is no file,
        such as a pipe, at which reading would wait for ever."""
        links, strange = [], []
        for place, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                try:
                    mode = os.lstat(os.path.join(place, name)).st_mode
                except OSError:
                    continue  # a running search removed it
                if stat.S_ISLNK(mode):
                    links.append(name)
                elif not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                    strange.append(name)
        if links:
            wrong = f"has links to other places: {', '.join(sorted(links)[:5])}"
            right = "Put the files themselves there; the folder as a whole may be behind a link."
            raise UnusableStudy(str(self.root), wrong, right)
        if strange:
            wrong = f"has what is neither a file nor a folder: {', '.join(sorted(strange)[:5])}"
            raise UnusableStudy(str(self.root), wrong, "Remove it.")

    def expect_own(self) -> None:
        """Raise UnusableStudy where files that are somebody else's lie at the places of a study's.

        A study has its lock from its first moment; one that was copied has its spec and data.
        """
        self.expect_plain()
        if self.lock.exists() or (self.spec.exists() and self.data.exists()):
            return
        places = (
            self.spec, self.data, self.sqlite, self.storage, self.log, self.mishaps, self.teacher,
            self.root / "signals", self.root / "checkpoints", self.root / "controls",
            self.proof.parent, self.confirmed, self.confirmation,
        )  # fmt: skip
        if taken := [path.name for path in places if path.exists()]:
            wrong = f"holds no study, but {', '.join(taken)} of something else"
            raise UnusableStudy(str(self.root), wrong, "Name a new folder with --study.")


@dataclass(frozen=True, slots=True)
class Lock:
    """Who holds a study's folder, and by which file."""

    holder: str
    inode: int
    killed: str
    """Who held it before and did not let go; empty for nobody."""


def is_alive(holder: str) -> bool:
    """Whether who holds a folder is a process of this host that is there: of a study that was
    copied, the lock's file is, too."""
    found = re.fullmatch(r"process (\d{1,9}) on (.*)", holder)
    if found is None or found[2] != socket.gethostname() or int(found[1]) == os.getpid():
        return False  # in a container every driver may have the same number
    try:
        os.kill(int(found[1]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def holder_of(file: FileIO) -> str:
    """Who holds the lock, as its file says."""
    file.seek(0)
    return file.read().decode(errors="replace")


@contextmanager
def lock(folder: StudyFolder) -> Iterator[Lock]:
    """Hold the study's folder on this host. Raises StudyLocked, Unwritable, and UnusableStudy for
    a folder that is something else's or on a file system without locks.

    The kernel frees the lock when the process ends, however it ends.
    """
    folder.expect_own()
    elsewhere = "Name another with --study."
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
        # buffered, a write that failed would be made again as the file is closed
        file = os.fdopen(os.open(folder.lock, os.O_RDWR | os.O_CREAT), "r+b", buffering=0)
    except OSError as error:
        raise unwritable(folder.root, error, elsewhere) from error
    holder = f"process {os.getpid()} on {socket.gethostname()}"
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudyLocked(str(folder.root), holder_of(file) or "another process") from None
        except OSError as error:
            wrong = f"is on a file system that cannot lock its files ({error.strerror})"
            right = "Put the study on a local disk; its trials can be on a server: --storage."
            raise UnusableStudy(str(folder.root), wrong, right) from error
        killed = "" if is_alive(before := holder_of(file)) else before
        try:
            file.seek(0)
            file.write(holder.encode())
            file.truncate()
        except OSError as error:
            raise unwritable(folder.lock, error, elsewhere) from error
        try:
            yield Lock(holder, os.fstat(file.fileno()).st_ino, killed)
        finally:
            file.truncate(0)
