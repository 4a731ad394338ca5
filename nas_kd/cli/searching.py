"""Commands that start from a spec: search, check, settings and space."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from nas_kd.cli import flags
from nas_kd.cli.app import app
from nas_kd.errors import InvalidSpec


@app.command()
def search(
    spec: flags.SpecPath = None,
    budget: flags.BudgetFlag = None,
    data: flags.DataFlag = None,
    data_root: flags.RootFlag = flags.DATA_ROOT,
    label: flags.LabelFlag = None,
    group: flags.GroupFlag = None,
    drop: flags.DropFlag = None,
    keep: flags.KeepFlag = None,
    drop_classes: flags.DropClassFlag = None,
    unlabelled: flags.UnlabelledFlag = None,
    views: flags.ViewsFlag = None,
    teacher: flags.TeacherFlag = None,
    teacher_weights: flags.TeacherWeightsFlag = None,
    teacher_output: flags.TeacherOutputFlag = None,
    teacher_layer: flags.TeacherLayerFlag = None,
    teacher_size: flags.TeacherSizeFlag = None,
    teacher_mean: flags.TeacherMeanFlag = None,
    teacher_std: flags.TeacherStdFlag = None,
    teacher_classes: flags.TeacherClassesFlag = None,
    family: flags.FamilyFlag = None,
    knowledge: flags.KnowledgeFlag = None,
    metric: flags.MetricFlag = None,
    scheme: flags.SchemeFlag = None,
    co_teacher: flags.CoTeacherFlag = None,
    fix: flags.FixFlag = None,
    range_: flags.RangeFlag = None,
    trials: flags.TrialsFlag = None,
    epochs: flags.EpochsFlag = None,
    seed: flags.SeedFlag = None,
    time: flags.TimeFlag = None,
    workers: flags.WorkersFlag = None,
    study: Annotated[Path | None, typer.Option(help="The study's folder.")] = None,
    storage: flags.StorageFlag = None,
    cluster: flags.ClusterFlag = None,
    device: flags.DeviceFlag = "auto",
    job_limit: flags.JobLimitFlag = "1h",
    yes: flags.YesFlag = False,
    trust: flags.TrustFlag = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the whole spec.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only the closing table.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Also print each job.")] = False,
) -> None:
    """Search the best distilled student within a budget, or go on with a study.

    Example: nas-kd search --budget 20k --data mnist --data-root data

    Every setting, for --fix and --range: nas-kd settings
    """
    given = flags.given(locals())
    from nas_kd.workers.devices import parse_devices
    from nas_kd.workers.executors import open_executor, worker_count

    if spec and spec.is_dir():
        if study and study.resolve() != spec.resolve():
            raise InvalidSpec((f"study: is {spec} or {study}: name one of them",))
        spec, study = None, spec
    devices = parse_devices(device)
    limit = flags.seconds("--job-limit", job_limit)
    number = worker_count(workers, devices, cluster is not None)
    # its server loads torch in its process while this one does
    early = number and cluster is None and not dry_run
    with open_executor(number, limit, devices) if early else nullcontext() as executor:
        from nas_kd.cli.foreground import run_search
        from nas_kd.driver.options import RunOptions, default_folder

        resolved = flags.resolve(spec, given, trials, study, trust)
        if dry_run:
            typer.echo(resolved.to_toml(), nl=False)
            return
        options = RunOptions(
            folder=study or default_folder(resolved),
            workers=number,
            data_root=data_root,
            teacher_weights=tuple(teacher_weights or ()),
            trust=trust,
            devices=devices,
            large=yes,
            seconds=flags.seconds("--time", time) if time else None,
            storage=storage,
            cluster=cluster,
            job_limit=limit,
        )
        run_search(resolved, options, executor, quiet, verbose)


@app.command()
def check(
    spec: flags.SpecPath = None,
    budget: flags.BudgetFlag = None,
    data: flags.DataFlag = None,
    data_root: flags.RootFlag = flags.DATA_ROOT,
    label: flags.LabelFlag = None,
    group: flags.GroupFlag = None,
    drop: flags.DropFlag = None,
    keep: flags.KeepFlag = None,
    drop_classes: flags.DropClassFlag = None,
    unlabelled: flags.UnlabelledFlag = None,
    views: flags.ViewsFlag = None,
    teacher: flags.TeacherFlag = None,
    teacher_weights: flags.TeacherWeightsFlag = None,
    teacher_output: flags.TeacherOutputFlag = None,
    teacher_layer: flags.TeacherLayerFlag = None,
    teacher_size: flags.TeacherSizeFlag = None,
    teacher_mean: flags.TeacherMeanFlag = None,
    teacher_std: flags.TeacherStdFlag = None,
    teacher_classes: flags.TeacherClassesFlag = None,
    family: flags.FamilyFlag = None,
    knowledge: flags.KnowledgeFlag = None,
    metric: flags.MetricFlag = None,
    scheme: flags.SchemeFlag = None,
    co_teacher: flags.CoTeacherFlag = None,
    fix: flags.FixFlag = None,
    range_: flags.RangeFlag = None,
    trials: flags.TrialsFlag = None,
    epochs: flags.EpochsFlag = None,
    seed: flags.SeedFlag = None,
    workers: flags.WorkersFlag = None,
    trust: flags.TrustFlag = False,
) -> None:
    """Look for faults of the teacher, the data and the budget. Exit code 0: none, 1: some.

    It takes the flags of search that change a result.

    Example: nas-kd check --budget 20k --data mnist --teacher mymodels:resnet
    """
    given = flags.given(locals())
    from nas_kd.cli.foreground import kept_teacher_weights, run_check

    study = spec if spec and spec.is_dir() else None
    weights = tuple(teacher_weights or ())
    if study:
        resolved = flags.changed(study, given, trust, trials)
        weights = weights or kept_teacher_weights(resolved, study)
    else:
        resolved = flags.resolve(spec, given, trials, trust=trust)
    raise SystemExit(run_check(resolved, data_root, weights, workers, study, trust))


@app.command()
def settings(
    format_: Annotated[
        str, typer.Option("--format", help="table or markdown.", metavar="table|markdown")
    ] = "table",
) -> None:
    """List every setting of a search: what it is unless said, what it may be, what it means.

    Say one as --fix NAME=VALUE, search it as --range NAME=LOW:HIGH, or write it in a SPEC.toml.
    """
    if format_ not in ("table", "markdown"):
        raise InvalidSpec((f"--format: say table or markdown (given: {format_!r})",))
    from nas_kd.report.listing import as_markdown, settings_table
    from nas_kd.report.terminal import console

    if format_ == "markdown":
        typer.echo(as_markdown(), nl=False)
    else:
        console().print(settings_table())


@app.command()
def space(
    budget: flags.BudgetFlag = None,
    data: flags.DataFlag = None,
    data_root: flags.RootFlag = flags.DATA_ROOT,
    label: flags.LabelFlag = None,
    group: flags.GroupFlag = None,
    drop: flags.DropFlag = None,
    keep: flags.KeepFlag = None,
    drop_classes: flags.DropClassFlag = None,
    teacher: flags.TeacherFlag = None,
    teacher_classes: flags.TeacherClassesFlag = None,
    family: flags.FamilyFlag = None,
    fix: flags.FixFlag = None,
    picture: Annotated[
        Path | None, typer.Option(help="Also write a figure of what fits, such as fits.html.")
    ] = None,
) -> None:
    """Show what fits: each family's depths, its smallest and largest student, and examples.

    Example: nas-kd space --budget 20k --budget '2M macs' --data mnist
    """
    given = flags.given(locals())
    from nas_kd.report import fitting
    from nas_kd.report.terminal import console
    from nas_kd.spec import StudySpec

    if picture and picture.suffix not in (".html", ".htm"):
        raise InvalidSpec((f"--picture: is a page: say NAME.html (given: {str(picture)!r})",))
    spec = StudySpec.create(given)
    fits = fitting.what_fits(spec, data_root)
    console().print(fitting.fitting_table(fits))
    if picture:
        from nas_kd.report.fitting_figure import picture as draw

        draw(fits, picture)
        typer.echo(picture)
