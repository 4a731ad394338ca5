"""nas-kd from Python: search, and a study that was searched."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from nas_kd.confirm.against import Against, against
from nas_kd.confirm.asked import Asked
from nas_kd.confirm.confirm import confirm
from nas_kd.confirm.confirmation import Confirmation, confirmed_as
from nas_kd.confirm.opening import options_of
from nas_kd.data.given import raw_of
from nas_kd.data.layout import LAYOUTS
from nas_kd.data.npz import to_npz
from nas_kd.driver.drive import drive
from nas_kd.driver.events import Event, Observe, Told
from nas_kd.driver.options import RunOptions, default_folder
from nas_kd.files import cache_folder, write_text
from nas_kd.package.load import Student, load_student
from nas_kd.package.write import Also, export
from nas_kd.report.card import Card
from nas_kd.report.cards import cards, search_controls, search_verdict
from nas_kd.report.figures import history_figure, pareto_data, pareto_figure, rungs_figure
from nas_kd.report.page import page
from nas_kd.report.summary import Summary, student_in_words, summarize
from nas_kd.report.terminal import console, display
from nas_kd.spec import StudySpec
from nas_kd.spec.fields import listed
from nas_kd.study.folder import StudyFolder
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView, read_study, remark
from nas_kd.teachers.from_python import give
from nas_kd.workers.devices import parse_devices
from nas_kd.workers.executors import Borrowed, worker_count


def search(
    budget: str | int | Sequence[str],
    *,
    data: Any = "glyphs",
    teacher: Any = "train",
    study: str | Path | None = None,
    workers: int | None = None,
    data_root: str | Path = "data",
    teacher_weights: str | Path | Sequence[str | Path] = (),
    storage: str | None = None,
    executor: str | Executor | None = None,
    device: str = "auto",
    seconds: float | None = None,
    job_limit: float = 3600.0,
    large: bool = False,
    trust: bool = False,
    quiet: bool = False,
    on_trial: Callable[[StudentRecord], None] | None = None,
    **settings: Any,
) -> "Study":
    """Search the best student within a budget, or go on with the study in the folder.

    `data` is a source's name, `(X, y)` arrays, a Dataset of (x, y), a pair (train, test), or a
    dict with the keys train, validation, test, teacher and unlabelled. `teacher` is a name as the
    command takes it (`train`, `module:function`, `teacher.onnx`, `a+b` for an ensemble), or your
    nn.Module or fitted estimator, which stays in this process; a list of several searches them.
    `trust` reads a teacher's file that can run code.
    `storage` is the URL of a PostgreSQL server that keeps the trials; else the folder does.
    `executor` is the address of a Dask scheduler, or an executor of processes of yours.
    `device` is auto, cpu or GPUs: cuda:0,cuda:1. After `seconds` no generation begins; a job of
    more than `job_limit` seconds is ended. `large` says that a study of many gigabytes is meant.
    Prints the closing table unless `quiet`. `on_trial` is called with the record of each trial once
    it is told; what it raises ends the search, with everything kept (docs/tracking.md).
    `settings` are the others of StudySpec: family, depth,
    temperature, trials, epochs and so on.
    Raises NasKDError for what you can mend.
    """
    texts = (str(budget),) if isinstance(budget, str | int) else tuple(budget)
    layout = settings.get("layout", "auto")
    named = {"data": source_text(data, layout), "teacher": teacher_names(teacher)}
    spec = StudySpec.create({"budget": texts} | named | settings)
    devices = parse_devices(device)
    lent = Borrowed(executor) if isinstance(executor, Executor) else None
    options = RunOptions(
        folder=Path(study) if study else default_folder(spec),
        workers=worker_count(workers, devices, executor is not None),
        cluster=executor if isinstance(executor, str) else None,
        devices=devices,
        data_root=Path(data_root),
        teacher_weights=paths_of(teacher_weights),
        trust=trust,
        seconds=seconds,
        storage=storage,
        job_limit=job_limit,
        large=large,
    )
    with display(console(), quiet) as observe:
        drive(spec, options, observe if on_trial is None else telling(observe, on_trial), lent)
    found = Study.open(options.folder)
    found._teachers = objects_of(teacher)
    if not quiet:
        found.show()
    return found


def telling(observe: Observe, on_trial: Callable[[StudentRecord], None]) -> Observe:
    """Also call a function with each trial that is told."""

    def both(event: Event) -> None:
        observe(event)
        if isinstance(event, Told):
            on_trial(event.student)

    return both


def source_text(data: Any, layout: str = "auto") -> str:
    """A source's name; objects are kept in the cache, under what is in them."""
    if isinstance(data, str):
        return data
    known = layout if layout in LAYOUTS else "auto"  # the spec says what is wrong with it
    raw = raw_of(data, "data", lambda text: None, known)
    return f"npz:{to_npz(raw, cache_folder(), called(data))}"


def called(data: Any) -> str:
    """What data from Python are called: by the class of a Dataset, else `data`."""
    first = data[0] if isinstance(data, tuple) and data else data
    first = data.get("train") if isinstance(data, dict) else first
    plain = isinstance(first, list | tuple | dict) or hasattr(first, "__array__")
    return "data" if first is None or plain else type(first).__name__


def teacher_names(teacher: Any) -> tuple[str, ...]:
    """The names of one teacher or of several; objects are known in this process. Raises
    UnusableTeacher."""
    objects = iter(give(objects_of(teacher)))
    return tuple(one if isinstance(one, str) else next(objects) for one in listed(teacher))


def objects_of(teacher: Any) -> list[Any]:
    """The teachers that are no names."""
    return [one for one in listed(teacher) if not isinstance(one, str)]


def paths_of(files: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    """One file, or several, as paths."""
    return tuple(map(Path, (files,) if isinstance(files, str | Path) else files))


class Study:
    """A study that was searched, or is being searched."""

    def __init__(self, view: StudyView) -> None:
        self._view = view
        self._teachers: list[Any] = []

    @classmethod
    def open(cls, folder: str | Path) -> "Study":
        """The study in a folder. Raises UnusableStudy."""
        return cls(read_study(StudyFolder(Path(folder).resolve())))

    @property
    def spec(self) -> StudySpec:
        """The spec it was searched with."""
        return self._view.spec

    @property
    def best(self) -> StudentRecord:
        """The completed trial of highest validation accuracy."""
        return self._view.pick("best")

    def number(self, trial: str | int) -> int:
        """The number of the trial called `best`, `knee`, or by its number. Raises UnusableStudy."""
        return self._view.pick(str(trial)).number

    def summary(self) -> Summary:
        """The closing table and the verdict."""
        return summarize(self._view)

    def show(self) -> None:
        """Print the closing table and the verdict, as the command does."""
        if not self._view.points:
            return
        screen = console()
        screen.print(search_controls(self._view))
        screen.print(search_verdict(self._view).headline())
        screen.print(f"Best: {student_in_words(self.best)}", highlight=False)

    def confirm(
        self,
        *,
        seeds: int = 5,
        epochs: int | None = None,
        baseline: str | None = None,
        random: bool = False,
        front: bool = False,
        trials: Sequence[int] = (),
        data: str | None = None,
        teacher: Any = None,
        workers: int | None = None,
        data_root: str | Path | None = None,
        device: str = "auto",
        job_limit: float = 3600.0,
        trust: bool = False,
        quiet: bool = False,
    ) -> Confirmation:
        """Train the best student and its controls anew with several seeds, score them on the test
        split, and give what was found, with 95% intervals.

        `epochs` is three times the search's unless it is said. `baseline` is a network of yours as
        it is, `module:function`; `random` adds the best of a random search of equal epochs, `front`
        the knee and the smallest that is as good, `trials` further trials. `data` is where the
        study's data lie now, if they were moved, and `teacher` the object that the search had, or
        the list of them.
        Stopped, the same call goes on.
        Raises NasKDError for what you can mend.
        """
        give(objects_of(teacher) if teacher is not None else self._teachers)
        asked = Asked(seeds, epochs, baseline, random, front, tuple(map(str, trials)), data)
        root = None if data_root is None else Path(data_root)
        place = self._view.folder.root
        options = options_of(place, workers, device, root, job_limit, trust, baseline, data)
        with display(console(), quiet) as observe:
            return confirm(options, asked, observe)

    def against(
        self,
        other: "Study",
        *,
        seeds: int = 5,
        epochs: int | None = None,
        workers: int | None = None,
        data_root: str | Path | None = None,
        device: str = "auto",
        job_limit: float = 3600.0,
        trust: bool = False,
        quiet: bool = False,
    ) -> Against:
        """Confirm the best students of this study and another on the same data, and give which is
        better, paired by seed and example. Raises NasKDError for what you can mend."""
        root = None if data_root is None else Path(data_root)
        first, second = (
            options_of(one._view.folder.root, workers, device, root, job_limit, trust)
            for one in (self, other)
        )
        with display(console(), quiet) as observe:
            return against(first, second, Asked(seeds, epochs), observe)

    def cards(self) -> tuple[Card, ...]:
        """All that the study has to say: verdict, controls, front, budget use, time, rungs,
        findings; each with a title, a subtitle, a state, a frame and perhaps a figure. A notebook
        shows them as the report does. Raises UnusableStudy before the first completed trial."""
        return cards(self._view)

    def trials(self) -> pd.DataFrame:
        """Every trial, a row each."""
        return frame(self._view, self._view.rows)

    def front(self) -> pd.DataFrame:
        """The trials on the Pareto front, cheapest first."""
        return frame(self._view, self._view.front)

    def figure(self, name: str = "pareto") -> go.Figure:
        """A figure: `pareto`, `history` or `rungs`."""
        if name == "history":
            return history_figure(self._view)
        if name == "pareto":
            return pareto_figure(pareto_data(self._view))
        if name == "rungs":
            return rungs_figure(self._view)
        raise ValueError(f"there is no figure {name!r}: say 'pareto', 'history' or 'rungs'")

    def report(self, to: str | Path | None = None) -> Path:
        """Write the report, one HTML page, into the study's folder or to a file; give its path."""
        path = Path(to) if to else self._view.folder.report
        write_text(path, page(self._view))
        return path

    def export(
        self,
        trial: str | int = "best",
        to: str | Path | None = None,
        onnx: bool = False,
        trust: bool = False,
        int8: bool = False,
        c: bool = False,
    ) -> Path:
        """Write a student's package, and give its folder: with `onnx` also its model.onnx, with
        `int8` its model.int8.onnx, with `c` its C files; these two quantise a student of 32 bits.

        `trust` lets code be imported that only the study names. Raises NasKDError.
        """
        target = Path(to) if to else self._view.folder.root / str(trial)
        return export(self._view, str(trial), target, trust, Also(onnx, int8, c))

    def student(self, trial: str | int = "best", trust: bool = False) -> Student:
        """A trial's student, exported into a folder of its number in the study's, and proved; of a
        confirmed student that of seed 0.

        `trust` lets code be imported that only the study names. Raises NasKDError.
        """
        row = self._view.pick(str(trial))
        found = confirmed_as(self._view, row)
        anew = f"-confirmed-{found[0].epochs}-{found[0].seeds}" if found else ""
        number, target = row.number, self._view.folder.root / f"{row.number}{anew}"
        package = target if target.exists() else self.export(number, target, trust=trust)
        return load_student(package, trust)


def frame(view: StudyView, rows: Sequence[StudentRecord]) -> pd.DataFrame:
    """Trials as a frame, a row each."""
    made = pd.DataFrame([flat(view, row) for row in rows])
    return made.astype({"generation": "Int64", "duplicate_of": "Int64"}) if rows else made


def flat(view: StudyView, row: StudentRecord) -> Mapping[str, Any]:
    """A trial as a row of a frame: its student, settings and costs in columns of their own."""
    return {
        "number": row.number,
        "state": row.state,
        "accuracy": row.accuracy,
        "cost": row.costs[view.cost],
        "fill": row.fill,
        **row.settings,
        "seconds": row.seconds,
        "rungs": " ".join(f"{epoch}:{accuracy:.4f}" for epoch, accuracy in row.rungs),
        "generation": row.generation,
        "duplicate_of": row.duplicate_of,
        "note": remark(row),
        "family": row.config.family,
        "depth": row.config.depth,
        "channels": row.config.label(),
        "options": row.config.extras().removeprefix(", "),
        **row.costs,
    }
