"""A search in the foreground of a terminal: display, signals, closing table, what to do next."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import typer
from rich.markup import escape

from nas_kd.check import Fact, Finding, check
from nas_kd.check.findings import keep_findings
from nas_kd.confirm.against import against
from nas_kd.confirm.asked import Asked
from nas_kd.confirm.confirm import confirm
from nas_kd.driver.drive import drive
from nas_kd.driver.options import RunOptions, command, root_flag
from nas_kd.driver.teacher_folder import kept_weights
from nas_kd.interrupts import Interrupted, interruptible
from nas_kd.report.cards import controls, on_the_way, search_controls, search_verdict, verdict
from nas_kd.report.confirmed import against_card
from nas_kd.report.summary import student_in_words
from nas_kd.report.terminal import console, display
from nas_kd.spec import StudySpec
from nas_kd.spec.trust import trust_flag
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import read_study
from nas_kd.workers.devices import default_workers, parse_devices


def run_search(
    spec: StudySpec,
    options: RunOptions,
    executor: Executor | None = None,
    quiet: bool = False,
    verbose: bool = False,
) -> None:
    """Search, then print the closing table, the verdict and what to do next."""
    screen = console()
    try:
        if options.workers > spec.generation // 4:
            typer.echo(f"note: {options.workers} workers share generations of {spec.generation}; "
                       "more than a quarter leaves some idle (--workers)", err=True)  # fmt: skip
        with interruptible(), display(screen, quiet, verbose) as observe:
            drive(spec, options, observe, executor)
    except Interrupted as stopped:
        typer.echo(f"\nStopped. {how_to_go_on(spec, options)}", err=True)
        raise SystemExit(stopped.code) from None
    view = read_study(StudyFolder(options.folder.resolve()))
    if not view.points:
        typer.echo("No student was completed.")
        return
    screen.print(search_controls(view))
    screen.print(search_verdict(view).headline())
    if not (mishaps := on_the_way(view)).frame.empty:
        screen.print(mishaps.subtitle, highlight=False)
    typer.echo(f"Best: {student_in_words(view.pick('best'))}\n\nNext:")
    place = quote(str(options.folder))
    named = trust_flag(spec.model_dump(include={"plugins", "family"}))
    code = " --trust" if options.trust else named
    for name, flag in (("confirm", code), ("report", ""), ("dashboard", ""), ("export", code)):
        typer.echo(f"  nas-kd {name} {place}{flag}")


def run_confirm(options: RunOptions, asked: Asked, quiet: bool) -> None:
    """Confirm a study, then print the table, the verdict and what to do next."""
    with going_on(asked, options), display(console(), quiet) as observe:
        confirm(options, asked, observe)
    view = read_study(StudyFolder(options.folder.resolve()))
    console().print(controls(view))
    console().print(verdict(view).headline())
    place, code = quote(str(options.folder)), trust_flag(view.spec.model_dump())
    taken = (options.folder / "best").exists()
    target = f" --to {quote(str(options.folder / 'confirmed'))}" if taken else ""
    typer.echo(f"\nNext:\n  nas-kd report {place}\n  nas-kd export {place}{target}{code}")


def run_against(first: RunOptions, second: RunOptions, asked: Asked, quiet: bool) -> None:
    """Confirm the best students of two studies, and print which is better."""
    with going_on(asked, first, second), display(console(), quiet) as observe:
        result = against(first, second, asked, observe)
    console().print(against_card(result))


@contextmanager
def going_on(asked: Asked, *studies: RunOptions) -> Iterator[None]:
    """Say how to go on with a confirm that is interrupted."""
    try:
        with interruptible():
            yield
    except Interrupted as stopped:
        again = confirm_command(asked, *studies)
        typer.echo(f"\nStopped. All that is trained is kept; go on with:\n  {again}", err=True)
        raise SystemExit(stopped.code) from None


def confirm_command(asked: Asked, *studies: RunOptions) -> str:
    """What to type to go on with a confirm."""
    specs = [StudyFolder(one.folder).read_spec().model_dump() for one in studies]
    said = [f"--seeds {asked.seeds}"]
    said += [f"--epochs {asked.epochs}"] * (asked.epochs is not None)
    said += [f"--baseline {quote(asked.baseline)}"] if asked.baseline else []
    said += [f"--trial {number}" for number in asked.trials]
    said += [f"--data {quote(asked.data)}"] if asked.data else []
    said += ["--random"] * asked.random + ["--front"] * asked.front
    places = " ".join(quote(str(one.folder)) for one in studies)
    root = root_flag(studies[0].data_root)
    return f"nas-kd confirm {places} {' '.join(said)}{root}{max(map(trust_flag, specs))}"


def kept_teacher_weights(spec: StudySpec, study: Path) -> tuple[Path, ...]:
    """The weights that a study has of the user's teachers, if they are those of the spec."""
    folder = StudyFolder(study)
    kept = folder.read_spec()
    if kept.teacher != spec.teacher:
        return ()
    return kept_weights(folder, len(kept.teacher))


def run_check(
    spec: StudySpec,
    data_root: Path,
    weights: tuple[Path, ...],
    workers: int | None,
    study: Path | None = None,
    trust: bool = False,
) -> int:
    """Check, print what is found as it is found; 1 if anything is wrong or doubtful, else 0.

    Findings are kept in the folder of a study whose spec was not changed by flags.
    """
    screen, found = console(), list[Finding]()
    number = default_workers(parse_devices("auto")) if workers is None else workers
    for one in check(spec, data_root, weights, number, trust):
        if isinstance(one, Fact):
            screen.print(f"[green]ok[/]        {one.about:<9} {escape(one.text)}")
            continue
        found.append(one)
        colour = "red" if one.how_bad == "wrong" else "yellow"
        screen.print(f"[{colour}]{one.how_bad:<9}[/] {one.about:<9} {escape(one.what)}\n"
                     f"{'':<20}{escape(one.what_to_do)}")  # fmt: skip
    count = len(found)
    screen.print(f"{count} finding{'s' * (count != 1)}." if found else "Nothing is wrong.")
    if study and not StudyFolder(study).read_spec().differences(spec):
        keep_findings(StudyFolder(study).findings, found)
    return 1 if found else 0


def how_to_go_on(spec: StudySpec, options: RunOptions) -> str:
    """What to type after a search was stopped."""
    if not StudyFolder(options.folder).spec.exists():
        return "The study had not begun; run the same command again."
    return f"All that is finished is kept; go on with:\n  {command(spec, options)}"
