"""Commands that read a study, or a package that came out of one."""

from pathlib import Path
from typing import Annotated

import typer

from nas_kd.cli import flags
from nas_kd.cli.app import app
from nas_kd.errors import InvalidSpec


@app.command()
def smallest(
    study: flags.StudyPath,
    accuracy: Annotated[str | None, typer.Option(help="Validation accuracy: 98.5%.")] = None,
    of_teacher: Annotated[str | None, typer.Option(help="Share of the teacher's: 99%.")] = None,
) -> None:
    """Name the cheapest student that reaches an accuracy, and the search for a cheaper one.

    Example: nas-kd smallest runs/glyphs-20k --accuracy 85%
    """
    from nas_kd.report.smallest import answer_in_words, find, target_of
    from nas_kd.study.folder import StudyFolder
    from nas_kd.study.view import read_study

    view = read_study(StudyFolder(study))
    typer.echo(answer_in_words(view, find(view, target_of(view, accuracy, of_teacher))))


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
    from nas_kd.study.view import read_study

    if format_ not in ("table", "csv", "json"):
        raise InvalidSpec((f"--format: say table, csv or json (given: {format_!r})",))
    if format_ == "table":
        console().print(trials_table(read_study(StudyFolder(study))))
        return
    frame = Study.open(study).trials()
    text = frame.to_csv(index=False) if format_ == "csv" else frame.to_json(orient="records")
    typer.echo(text.rstrip())


@app.command()
def report(
    study: flags.StudyPath,
    to: Annotated[Path | None, typer.Option(help="NAME.html; default STUDY/report.html.")] = None,
    here: Annotated[bool, typer.Option("--print", help="Print the cards, write no page.")] = False,
) -> None:
    """Write a study's report: one HTML page with its cards, the history and every trial.

    Example: nas-kd report runs/glyphs-20k
    """
    from nas_kd.api import Study

    if here and to:
        raise InvalidSpec(("--print: writes no page: leave --to out",))
    if here:
        from nas_kd.report.terminal import console

        for card in Study.open(study).cards():
            console().print(card)
        return
    if to and to.suffix not in (".html", ".htm"):
        raise InvalidSpec((f"--to: is a page: say NAME.html (given: {str(to)!r})",))
    typer.echo(Study.open(study).report(to))


@app.command()
def confirm(
    study: flags.StudyPath,
    other: Annotated[
        Path | None, typer.Argument(help="Another study on the same data: best against best.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Seeds that each student is trained with.")] = 5,
    epochs: Annotated[
        int | None, typer.Option(help="Epochs of each training; three times the search's.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="A network of yours as it is: module:function.")
    ] = None,
    random: Annotated[
        bool, typer.Option("--random", help="Also the best of a random search as long.")
    ] = False,
    front: Annotated[
        bool, typer.Option("--front", help="Also the knee, and the smallest that is as good.")
    ] = False,
    trial: Annotated[
        list[str] | None, typer.Option(help="Also this trial. Repeat for several.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Where the data lie now, if moved: npz:NEW.npz.")
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="Folder of the data's files; the search's.")
    ] = None,
    workers: flags.WorkersFlag = None,
    cluster: flags.ClusterFlag = None,
    device: flags.DeviceFlag = "auto",
    job_limit: flags.JobLimitFlag = "1h",
    trust: flags.TrustFlag = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only the table and the verdict.")] = False,
) -> None:
    """Train the best student and its controls anew with several seeds, and score them on the test
    split: what the search and distillation gained, with intervals. Stopped, it goes on.

    Example: nas-kd confirm runs/glyphs-20k
    """
    from nas_kd.cli.foreground import run_against, run_confirm
    from nas_kd.confirm.asked import Asked
    from nas_kd.confirm.opening import options_of

    asked = Asked(seeds, epochs, baseline, random, front, tuple(trial or ()), data)
    limit = flags.seconds("--job-limit", job_limit)
    folders = [study] if other is None else [study, other]
    options = [
        options_of(folder, workers, device, data_root, limit, trust, baseline, data, cluster)
        for folder in folders
    ]
    if len(options) == 2:
        run_against(options[0], options[1], asked, quiet)
    else:
        run_confirm(options[0], asked, quiet)


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
    from nas_kd.report.dashboard import LOOPBACK
    from nas_kd.report.dashboard import dashboard as serve
    from nas_kd.study.folder import StudyFolder

    with serve(StudyFolder(study), host, port, writable) as server:
        mode = "may change the study" if writable else "reads only"
        if host not in LOOPBACK:
            who = "change" if writable else "read"
            typer.echo(f"note: whoever reaches {host} can {who} this study", err=True)
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
    int8: Annotated[
        bool, typer.Option("--int8", help="Also write model.int8.onnx, of any student, proved.")
    ] = False,
    c: Annotated[
        bool, typer.Option("--c", help="Also write the student as C, in 8 bits, proved.")
    ] = False,
    trust: flags.TrustFlag = False,
) -> None:
    """Write a student's package: config, weights, plain PyTorch, a proof and a card.

    Example: nas-kd export runs/glyphs-20k --trial knee
    """
    from nas_kd.api import Study
    from nas_kd.package.write import written_in_words
    from nas_kd.spec.trust import trust_flag

    found = Study.open(study)
    target = found.export(trial, to or study / trial, onnx, trust, int8, c)
    for line in written_in_words(target):
        typer.echo(line)
    number, code = found.number(trial), found.spec.model_dump(include={"plugins", "family", "data"})
    typer.echo(
        f"{target}  (trial {number})\nScore it on the test split: nas-kd evaluate {target}"
        + trust_flag(code)
    )


@app.command()
def evaluate(
    package: Annotated[Path, typer.Argument(help="A folder that `export` wrote.")],
    data: flags.DataFlag = None,
    data_root: flags.RootFlag = flags.DATA_ROOT,
    split: Annotated[str, typer.Option(help="test or validation.")] = "test",
    trust: flags.TrustFlag = False,
) -> None:
    """Prove a package, then score it; a look at its test split is counted in its card.

    Example: nas-kd evaluate runs/glyphs-20k/best
    """
    from nas_kd.intervals import interval_in_words
    from nas_kd.metrics import METRICS
    from nas_kd.package.evaluate import evaluate as score

    if split not in ("test", "validation"):
        raise InvalidSpec((f"--split: say test or validation (given: {split!r})",))
    result = score(package, data, data_root, split, trust)
    measured = "" if result["measured"] == "accuracy" else f"{result['measured']} "
    typer.echo(
        f"{interval_in_words(result['accuracy'], result['examples'])}% {measured}of "
        f"{result['examples']:,} examples, {result['data']} {result['split']}"
        + "".join(
            f"\n{name} {100 * result[name]:.2f}%"
            for name in METRICS
            if name in result and name != "accuracy"
        )
    )
    teacher = result["teacher"]
    if "not_scored" in teacher:
        typer.echo(f"teacher: not scored, for {teacher['not_scored']}", err=True)
    elif not measured:
        sure = interval_in_words(teacher["accuracy"], result["examples"])
        typer.echo(f"teacher {sure}% of the same")
    for text in result.get("said", ()):
        typer.echo(f"data: {text}", err=True)
    if "note" in result:
        typer.echo(f"note: {result['note']}", err=True)
