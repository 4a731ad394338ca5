"""The search in a terminal: a live display, plain lines without one, and the closing table."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nas_kd.driver.events import (
    Ended,
    Event,
    Mended,
    Observe,
    Planned,
    Scored,
    Started,
    Step,
    Told,
    Trained,
)
from nas_kd.driver.log import line
from nas_kd.front import Point, front
from nas_kd.spec.settings import as_text, heading
from nas_kd.study.view import StudyView, remark


class Display:
    """Collects what happened and draws it: how far, what runs, the front so far."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.plan = Planned(0, 1, 0)
        self.running: dict[str, Started] = {}
        self.scored: dict[int, Scored] = {}
        self.first: float | None = None
        self.trained = 0

    def take(self, event: Event) -> None:
        """Note an event."""
        match event:
            case Planned():
                self.plan, self.trained, self.first = event, 0, None
                self.scored.clear()
            case Started():
                self.running[event.job] = event
                if event.planned:
                    self.first = self.first or time.monotonic()
            case Ended():
                self.running.pop(event.job, None)
            case Scored():
                self.scored[event.student.number] = event
            case Trained():
                self.trained += 1
            case Step() | Mended() | Told():
                pass

    def epochs(self, started: Started) -> int:
        """The epochs that a running job has done."""
        try:
            return started.progress.stat().st_size
        except OSError:
            return 0

    def left(self) -> str:
        """The time that is left for the trials, from their pace so far."""
        trials = self.plan.trials - self.plan.done
        part = sum(self.epochs(s) for s in self.running.values() if s.planned)
        done = len(self.scored) + self.trained + part / self.plan.epochs
        if self.plan.done + done >= self.plan.trials > 0:
            return "finishing"
        if not self.first or done < 1:
            return "estimating"
        pace = (time.monotonic() - self.first) / done
        return f"about {timedelta(seconds=round(pace * max(0, trials - done)))} left"

    def __rich__(self) -> RenderableType:
        """The display as it is now."""
        done = self.plan.done + len(self.scored) + self.trained
        passed = timedelta(seconds=int(time.monotonic() - self.began))
        head = Table.grid(padding=(0, 2))
        head.add_row(
            f"{self.plan.what} {done}/{self.plan.trials}",
            ProgressBar(total=max(1, self.plan.trials), completed=done, width=30),
            f"{passed} passed, {self.left()}",
        )
        jobs = Table.grid(padding=(0, 2))
        for job in list(self.running.values()):
            if epochs := self.epochs(job):
                jobs.add_row(f"  {job.job}", f"epoch {epochs}/{job.epochs}")
        return Group(head, jobs, self.front_so_far())

    def front_so_far(self) -> RenderableType:
        """The last few points of the front."""
        ended = [scored for scored in self.scored.values() if not scored.stopped]
        points = [Point(s.student.number, s.accuracy, s.cost) for s in ended]
        on = front(points)[-6:]
        return Text("\n".join(
            f"  front: {100 * p.accuracy:5.1f}%  {p.cost:>9,}  "
            f"{self.scored[p.trial].student.config.name()}"
            for p in on
        ), style="dim")  # fmt: skip


@contextmanager
def display(console: Console, quiet: bool = False, verbose: bool = False) -> Iterator[Observe]:
    """Shows events: live on a terminal, else a line each; nothing if quiet, each job if verbose."""
    if quiet:
        yield lambda event: None
        return
    state = Display()
    live = Live(state, console=console, refresh_per_second=4, transient=True)
    with live if console.is_terminal else plain():

        def observe(event: Event) -> None:
            state.take(event)
            if isinstance(event, Step | Mended | Scored | Trained):
                console.print(line(event), highlight=False, markup=False, soft_wrap=True)
            elif verbose and isinstance(event, Started | Ended):
                began = isinstance(event, Started)
                console.print(f"job       {event.job} {'began' if began else 'ended'}", style="dim")

        yield observe


@contextmanager
def plain() -> Iterator[None]:
    """No live display."""
    yield


def console() -> Console:
    """The console of the commands; wide where the output goes to a file."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 132)


def percent(value: float) -> str:
    """An accuracy in points of a hundred."""
    return f"{100 * value:.2f}"


def trials_table(view: StudyView) -> Table:
    """Every trial, a line each; the front, the best and the knee are marked."""
    table = Table(box=SIMPLE_HEAD, caption="* on the front", caption_justify="left", padding=(0, 1))
    on = {row.number for row in view.front}
    picks = {which: view.pick(which).number for which in ("best", "knee")} if view.points else {}
    settings = view.shown_settings
    names = ["trial", "state", f"{view.metric} %", view.cost, "family", "channels"]
    for name in (*names, *map(heading, settings), "s", "note"):
        left = name in ("state", "family", "channels", "note")
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    for row in view.rows:
        table.add_row(
            f"{row.number}{' *' if row.number in on else ''}",
            row.state,
            "" if row.accuracy is None else percent(row.accuracy),
            f"{row.costs[view.cost]:,}",
            row.config.family,
            row.config.label() + row.config.extras(),
            *(as_text(name, row.settings[name]) for name in settings),
            "" if row.seconds is None else f"{row.seconds:.1f}",
            "; ".join(
                [*(w for w, number in picks.items() if number == row.number), remark(row)]
            ).strip("; "),
        )
    return table
