"""How a study is run. None of it decides a value, so all of it may change on resume."""

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from nas_kd.driver.events import Mended, Observe, Step
from nas_kd.spec import StudySpec
from nas_kd.spec.fields import PLACES
from nas_kd.spec.trust import trust_flag
from nas_kd.workers.executors import open_executor

MUCH = 5e9
"""Bytes of arrays and signals beyond which a study asks first."""


DATA_ROOT = Path("data")
"""Where the files of named data lie, unless it is said."""


def default_folder(spec: StudySpec) -> Path:
    """Where a study goes if it is not said: runs/DATA-BUDGET."""
    budget = "-".join(spec.budget).replace(" ", "-").replace("%", "pct")
    kind, _, rest = spec.data.partition(":")
    name = Path(rest).stem if kind in PLACES else spec.data.replace(":", "-")
    return Path("runs") / f"{name or 'data'}-{budget}"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Where the study lies, where its data come from, and what trains its students."""

    folder: Path
    workers: int
    """Worker processes; 0 trains in the driver's process."""
    data_root: Path = DATA_ROOT
    teacher_weights: tuple[Path, ...] = ()
    """A file for each teacher that takes one, in order."""
    trust: bool = False
    """A teacher's file may run code when it is read."""
    devices: tuple[str, ...] = ("cpu",)
    """`cpu`, or GPUs, which the workers share in turn."""
    large: bool = False
    """Arrays and signals of more than MUCH bytes are meant."""
    seconds: float | None = None
    """No generation starts after so long."""
    storage: str | None = None
    """The URL of a server's database that has the trials; else SQLite has, in the folder."""
    cluster: str | None = None
    """The address of a Dask scheduler whose workers train; else `workers` processes do."""
    job_limit: float = 3600.0
    """A job that takes longer is taken from its worker and given to another."""


def executor_of(options: RunOptions, observe: Observe) -> Executor:
    """What does the jobs of a study. Raises Unusable for a cluster that cannot be used."""
    return open_executor(
        options.workers, options.job_limit, options.devices, options.cluster,
        lambda text: observe(Step(f"cluster   {text}")),
        lambda text: observe(Mended("cluster", text)),
    )  # fmt: skip


def root_flag(root: str | Path) -> str:
    """What to type for the folder of the data's files."""
    return "" if Path(root) == DATA_ROOT else f" --data-root {quote(str(root))}"


def command(spec: StudySpec, options: RunOptions) -> str:
    """What to type to go on with a study."""
    said = root_flag(options.data_root)
    said += " --yes" * options.large
    said += " --trust" if options.trust else trust_flag(spec.model_dump())
    return f"nas-kd search --study {quote(str(options.folder))}{said}"
