"""The commands: parsing and printing only. torch is imported inside them, not before."""

import os
import sys
import tempfile
import traceback
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from nas_kd import flags
from nas_kd.errors import InvalidSpec, NasKDError

app = typer.Typer(
    help="Find the best small network for a budget, by distilling every candidate.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def show_version(asked: bool) -> None:
    """Print the version and end."""
    if asked:
        typer.echo(f"nas-kd {version('nas-kd')}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    """Find the best small network for a budget, by distilling every candidate."""


@app.command()
def search(
    spec: flags.SpecPath = None,
    budget: flags.BudgetFlag = None,
    data: flags.DataFlag = None,
    data_root: flags.RootFlag = flags.DATA_ROOT,
    label: flags.LabelFlag = None,
    group: flags.GroupFlag = None,
    unlabelled: flags.UnlabelledFlag = None,
    views: flags.ViewsFlag = None,
    teacher: flags.TeacherFlag = None,
    teacher_weights: flags.TeacherWeightsFlag = None,
    teacher_output: flags.TeacherOutputFlag = None,
    teacher_size: flags.TeacherSizeFlag = None,
    teacher_mean: flags.TeacherMeanFlag = None,
    teacher_std: flags.TeacherStdFlag = None,
    family: flags.FamilyFlag = None,
    knowledge: flags.KnowledgeFlag = None,
    scheme: Annotated[str | None, typer.Option(help="Who teaches.")] = None,
    fix: flags.FixFlag = None,
    range_: flags.RangeFlag = None,
    trials: Annotated[str | None, typer.Option(help="Students to try; +N adds to a study.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of a student.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the study.")] = None,
    time: flags.TimeFlag = None,
    workers: flags.WorkersFlag = None,
    study: Annotated[Path | None, typer.Option(help="The study's folder.")] = None,
    device: flags.DeviceFlag = "auto",
    job_limit: flags.JobLimitFlag = "1h",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the whole spec.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only the closing table.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Also print each job.")] = False,
) -> None:
    """Search the best distilled student within a budget, or go on with a study.

    Example: nas-kd search --budget 20k --data mnist --data-root data
    """
    from nas_kd.study.devices import default_workers, parse_devices
    from nas_kd.study.pool import open_executor

    if spec and spec.is_dir():
        spec, study = None, study or spec
    said = {
        "budget": budget, "data": data, "label": label, "group": group,
        "unlabelled": unlabelled, "views": views,
        "teacher": teacher, "family": family, "knowledge": knowledge, "scheme": scheme,
        "epochs": epochs, "seed": seed, "teacher_output": teacher_output,
        "teacher_size": teacher_size, "teacher_mean": flags.numbers("--teacher-mean", teacher_mean),
        "teacher_std": flags.numbers("--teacher-std", teacher_std),
    }  # fmt: skip
    given = {name: value for name, value in said.items() if value is not None}
    given |= flags.assignments("--fix", fix) | flags.assignments("--range", range_)
    devices = parse_devices(device)
    limit = flags.seconds("--job-limit", job_limit)
    number = 0 if dry_run else default_workers(devices) if workers is None else workers
    # its server loads torch in its process while this one does
    with open_executor(number, limit, devices) if number else nullcontext() as executor:
        from nas_kd.foreground import run_search
        from nas_kd.study.options import RunOptions, default_folder

        resolved = flags.resolve(spec, given, trials, study)
        if dry_run:
            typer.echo(resolved.to_toml(), nl=False)
            return
        options = RunOptions(
            folder=study or default_folder(resolved),
            workers=number,
            data_root=data_root,
            teacher_weights=teacher_weights,
            devices=devices,
            seconds=flags.seconds("--time", time) if time else None,
            job_limit=limit,
        )
        run_search(resolved, options, executor, quiet, verbose)


@app.command()
def space(
    budget: flags.BudgetFlag = None,
    data: flags.DataFlag = None,
    data_root: flags.RootFlag = flags.DATA_ROOT,
    family: flags.FamilyFlag = None,
    fix: flags.FixFlag = None,
) -> None:
    """Show what fits: each family's depths, its smallest and largest student, and examples.

    Example: nas-kd space --budget 20k --budget '2M macs' --data mnist
    """
    from nas_kd.report.fitting import what_fits
    from nas_kd.report.terminal import console
    from nas_kd.spec import StudySpec

    given = {"budget": budget, "data": data, "family": family}
    settings = {k: v for k, v in given.items() if v is not None}
    spec = StudySpec.create(settings | flags.assignments("--fix", fix))
    console().print(what_fits(spec, data_root))


@app.command()
def smallest(
    study: flags.StudyPath,
    accuracy: Annotated[str | None, typer.Option(help="Validation accuracy: 98.5%.")] = None,
    of_teacher: Annotated[str | None, typer.Option(help="Share of the teacher's: 99%.")] = None,
) -> None:
    """Name the cheapest student that reaches an accuracy, and the search for a cheaper one.

    Example: nas-kd smallest runs/glyphs-20k --accuracy 85%
    """
    from nas_kd.report.smallest import find, in_words, target_of
    from nas_kd.study.folder import StudyFolder
    from nas_kd.study.reading import read_study

    view = read_study(StudyFolder(study))
    typer.echo(in_words(view, find(view, target_of(view, accuracy, of_teacher))))


@app.command()
def trials(
    study: flags.StudyPath,
    format_: Annotated[
        str, typer.Option("--format", help="table, csv or json.", metavar="table|csv|json")
    ] = "table",
) -> None:
    """List a study's trials; * marks the front.

    Example: nas-kd trials runs/glyphs-20k --format csv
    """
    from nas_kd.api import Study
    from nas_kd.report.terminal import console, trials_table
    from nas_kd.study.folder import StudyFolder
    from nas_kd.study.reading import read_study

    if format_ not in ("table", "csv", "json"):
        raise InvalidSpec((f"--format: say table, csv or json (given: {format_!r})",))
    if format_ == "table":
        console().print(trials_table(read_study(StudyFolder(study))))
        return
    frame = Study.open(study).trials()
    text = frame.to_csv(index=False) if format_ == "csv" else frame.to_json(orient="records")
    typer.echo(text.rstrip())


@app.command()
def report(study: flags.StudyPath) -> None:
    """Write a study's report: one HTML page with the front, the history and every trial.

    Example: nas-kd report runs/glyphs-20k
    """
    from nas_kd.api import Study

    typer.echo(Study.open(study).report())


@app.command()
def dashboard(
    study: flags.StudyPath,
    port: Annotated[int, typer.Option(help="Port to serve on.", min=0, max=65535)] = 8080,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
    writable: Annotated[
        bool, typer.Option("--writable", help="Let the pages change the study.")
    ] = False,
) -> None:
    """Open Optuna Dashboard on a study; it only reads, unless --writable.

    Example: nas-kd dashboard runs/glyphs-20k --port 8081
    """
    from nas_kd.report.dashboard import dashboard as serve
    from nas_kd.study.folder import StudyFolder

    with serve(StudyFolder(study), host, port, writable) as server:
        mode = "may change the study" if writable else "reads only"
        typer.echo(f"http://{host}:{server.server_port}  ({mode}; Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


@app.command()
def export(
    study: flags.StudyPath,
    trial: Annotated[str, typer.Option(help="best, knee, or a trial's number.")] = "best",
    to: Annotated[Path | None, typer.Option(help="New folder; default STUDY/TRIAL.")] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Also write model.onnx, proved.")] = False,
) -> None:
    """Write a student's package: config, weights, a proof and a card.

    Example: nas-kd export runs/glyphs-20k --trial knee --to small
    """
    from nas_kd.api import Study

    target = Study.open(study).export(trial, to or study / trial, onnx)
    if onnx:
        typer.echo(f"{target / 'model.onnx'}  (proved against PyTorch)")
    typer.echo(f"{target}\nScore it on the test split: nas-kd evaluate {target}")


@app.command()
def evaluate(
    package: Annotated[Path, typer.Argument(help="A folder that `export` wrote.")],
    data: flags.DataFlag = None,
    data_root: flags.RootFlag = flags.DATA_ROOT,
    split: Annotated[str, typer.Option(help="test or validation.")] = "test",
) -> None:
    """Prove a package, then score it; a look at its test split is counted in its card.

    Example: nas-kd evaluate runs/glyphs-20k/best
    """
    from nas_kd.export import evaluate as score
    from nas_kd.front import standard_error

    if split not in ("test", "validation"):
        raise InvalidSpec((f"--split: say test or validation (given: {split!r})",))
    result = score(package, data, data_root, split)
    error = standard_error(result["accuracy"], result["examples"])
    typer.echo(
        f"{100 * result['accuracy']:.2f}% +- {100 * error:.2f} (s.e.) of "
        f"{result['examples']:,} examples, {result['data']} {result['split']}"
    )


def main() -> NoReturn:
    """Run a command. 0 done, 2 the user can mend it, 1 a bug, 130 and 143 interrupted."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    sys.path.insert(0, os.getcwd())
    try:
        app()
    except NasKDError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(2) from None
    except Exception as error:
        with tempfile.NamedTemporaryFile(
            "w", prefix="nas-kd-", suffix=".log", delete=False
        ) as file:
            traceback.print_exc(file=file)
        typer.echo(
            f"bug: {type(error).__name__}: {error}\nThe traceback is in {file.name}", err=True
        )
        raise SystemExit(1) from None
    raise SystemExit(0)
