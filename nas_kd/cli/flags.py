"""Flags that several commands share, and reading what they say. All raise InvalidSpec."""

import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas_kd.errors import InvalidSpec

if TYPE_CHECKING:
    from nas_kd.spec import StudySpec


DATA_ROOT = Path("data")
StudyPath = Annotated[Path, typer.Argument(help="The study's folder, such as runs/glyphs-20k.")]
BudgetFlag = Annotated[
    list[str] | None,
    typer.Option(
        help="Bound on every student: 20k, '5M macs', 200kB, 2ms, 25%. Repeat for several."
    ),
]
DataFlag = Annotated[str | None, typer.Option(help="Data source, such as glyphs or mnist.")]
RootFlag = Annotated[
    Path, typer.Option(help="Folder of the data's files; they are downloaded there if missing.")
]
FixFlag = Annotated[
    list[str] | None, typer.Option(help="NAME=VALUE: fix a setting, such as width=1.")
]
FamilyFlag = Annotated[
    list[str] | None,
    typer.Option(
        help="cnn, mlp, mobilenet, resnet, torchvision:resnet18, module:function, module:Class, or "
        "teacher. Repeat for several."
    ),
]
SpecPath = Annotated[
    Path | None, typer.Argument(help="Settings as TOML, flags win; or a study's folder.")
]
LabelFlag = Annotated[str | None, typer.Option(help="Column of a table that has the classes.")]
GroupFlag = Annotated[
    str | None, typer.Option(help="Column of a table whose values stay in one split.")
]
DropFlag = Annotated[
    list[str] | None, typer.Option(help="Column of a table that is not used. Repeat for several.")
]
KeepFlag = Annotated[
    list[str] | None,
    typer.Option(help="Column of a table that is used although it would be left out."),
]
DropClassFlag = Annotated[
    list[str] | None,
    typer.Option("--drop-class", help="Class whose examples are not used. Repeat for several."),
]
MetricFlag = Annotated[
    str | None, typer.Option(help="accuracy, balanced-accuracy, macro-f1, top-5 or agreement.")
]
UnlabelledFlag = Annotated[
    str | None,
    typer.Option(
        help="Examples without labels: a number for glyphs and mnist1d to make, or a folder of "
        "pictures, an .npz, a .csv or .parquet of yours."
    ),
]
TeacherClassesFlag = Annotated[
    str | None,
    typer.Option(
        help="How many classes your teacher tells apart, or their names: cat,dog. Then no labels "
        "are used."
    ),
]
ViewsFlag = Annotated[int | None, typer.Option(help="Shifted and flipped views; 1: none.")]
TeacherFlag = Annotated[
    list[str] | None,
    typer.Option(
        help="train, module:function, torchvision:resnet18, timm:NAME, or a file: .onnx, .pt2, "
        ".skops, or answers as .npz, .csv, .parquet; a+b is an ensemble. Repeat to search over "
        "several."
    ),
]
TeacherWeightsFlag = Annotated[
    list[Path] | None,
    typer.Option(help="Weights of your teacher, .safetensors or .pt. Repeat for several."),
]
TeacherOutputFlag = Annotated[
    str | None, typer.Option(help="Which of its outputs are the logits: a name or position.")
]
TeacherSizeFlag = Annotated[
    int | None, typer.Option(help="Side in pixels of the pictures that it takes.")
]
TeacherMeanFlag = Annotated[
    str | None, typer.Option(help="Its normalisation of pixels in 0..1: 0.49,0.48,0.45.")
]
TeacherStdFlag = Annotated[str | None, typer.Option(help="Deviations beside it.")]
TeacherLayerFlag = Annotated[
    list[str] | None,
    typer.Option(help="A layer of it that knowledge terms compare, by name. Repeat for several."),
]
KnowledgeFlag = Annotated[
    list[str] | None,
    typer.Option(
        help="Distillation term, or a mixture such as 'kl + 0.5 rkd'. Repeat to search over "
        "several."
    ),
]
SchemeFlag = Annotated[
    str | None, typer.Option(help="Who teaches: offline, online, self or exits.")
]
CoTeacherFlag = Annotated[
    str | None,
    typer.Option(
        help="Family of a larger network that is trained beside each student and teaches it."
    ),
]
TrialsFlag = Annotated[str | None, typer.Option(help="Students to try; +N adds to a study.")]
EpochsFlag = Annotated[
    int | None, typer.Option(help="Epochs of a student; unset, as many as the data need.")
]
SeedFlag = Annotated[int | None, typer.Option(help="Seed of the study.")]
RangeFlag = Annotated[
    list[str] | None, typer.Option("--range", help="NAME=LOW:HIGH: search a setting there.")
]
TimeFlag = Annotated[
    str | None, typer.Option(help="Such as 10m or 2h: no generation starts after it.")
]
WorkersFlag = Annotated[
    int | None, typer.Option(help="Worker processes; 0: none. Default: one a core.", min=0)
]
DeviceFlag = Annotated[
    str, typer.Option(help="auto, cpu, or GPUs with a worker each: cuda:0,cuda:1.")
]
YesFlag = Annotated[
    bool, typer.Option("--yes", help="Take over 5 GB of examples and signals without asking.")
]
TrustFlag = Annotated[
    bool, typer.Option("--trust", help="Import code that a spec, study or package names.")
]
StorageFlag = Annotated[
    str | None,
    typer.Option(
        help="Server that keeps the trials: postgresql://USER@HOST/DATABASE, with the password in "
        "the file that PGPASSFILE names. Default: a file in the study's folder."
    ),
]
ClusterFlag = Annotated[
    str | None,
    typer.Option(
        "--executor", help="Scheduler of a Dask cluster whose workers train: tcp://HOST:8786."
    ),
]
JobLimitFlag = Annotated[
    str, typer.Option(help="A job that takes longer is given to another worker.")
]


def value(text: str) -> Any:
    """A flag's value: a number, a list or a word, as in TOML; low:high is a pair."""
    low, colon, high = text.partition(":")
    if colon:
        with suppress(ValueError):
            return [number(low), number(high)]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def number(text: str) -> int | float:
    """A number as people write it. Raises ValueError."""
    return int(text) if text.isdecimal() else float(text)


def assignments(flag: str, texts: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE flags as settings. Raises InvalidSpec."""
    pairs = [text.partition("=") for text in texts or []]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise InvalidSpec(tuple(f"{flag} {name}: say {flag} NAME=VALUE" for name in wrong))
    names = [name for name, _, _ in pairs]
    if twice := {name for name in names if names.count(name) > 1}:
        several = f'say all of it at once, as in {flag} \'{min(twice)}=["one", "two"]\''
        raise InvalidSpec((f"{flag} {min(twice)}: is said twice; {several}",))
    return {name.replace("-", "_"): value(text) for name, _, text in pairs}


SPEC_FLAGS = (
    "budget", "data", "label", "group", "drop", "keep", "drop_classes", "unlabelled", "views",
    "teacher", "teacher_output", "teacher_size", "teacher_layer", "family", "knowledge", "metric",
    "scheme", "co_teacher", "epochs", "seed",
)  # fmt: skip
"""Flags that have the name of a setting of the spec, and its value."""


def given(arguments: dict[str, Any]) -> dict[str, Any]:
    """The settings of the spec that a command was given, by --fix and --range too.

    Raises InvalidSpec.
    """
    said = {name: arguments[name] for name in SPEC_FLAGS if arguments.get(name) is not None}
    for name in ("teacher_mean", "teacher_std"):
        if arguments.get(name) is not None:
            said[name] = numbers(f"--{name.replace('_', '-')}", arguments[name])
    if (named := arguments.get("teacher_classes")) is not None:
        said["teacher_classes"] = int(named) if named.isdecimal() else named.split(",")
    if str(said.get("unlabelled", "")).isdecimal():
        said["unlabelled"] = int(said["unlabelled"])
    said |= assignments("--fix", arguments.get("fix"))
    return said | assignments("--range", arguments.get("range_"))


def more_trials(text: str, kept: int | None) -> int:
    """N as it is, +N on top of the trials that the study has. Raises InvalidSpec."""
    if not text.removeprefix("+").isdecimal():
        raise InvalidSpec((f"trials: say a number, or +N for N more (given: {text!r})",))
    if text.startswith("+") and kept is None:
        raise InvalidSpec((f"trials: {text} needs a study to add to: name it with --study",))
    return int(text) + (kept or 0 if text.startswith("+") else 0)


def seconds(flag: str, text: str) -> float:
    """A time such as 90, 90s, 10m or 2h. Raises InvalidSpec."""
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        amount = float(number) * units[unit]
    except ValueError:
        amount = -1.0
    if not amount > 0:
        raise InvalidSpec((f"{flag}: say a time such as 90s, 10m or 2h (given: {text!r})",))
    return amount


def numbers(flag: str, text: str) -> tuple[float, ...]:
    """Numbers separated by commas. Raises InvalidSpec."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        wrong = f"{flag}: say numbers separated by commas (given: {text!r})"
        raise InvalidSpec((wrong,)) from None


def resolve(
    file: Path | None,
    given: dict[str, Any],
    trials: str | None = None,
    study: Path | None = None,
    trust: bool = False,
) -> "StudySpec":
    """The spec of a TOML file and flags; on a study that exists, what is not said stays as it is.

    Raises InvalidSpec, and Unusable for code that only the file or the study names.
    """
    from nas_kd.driver.options import default_folder
    from nas_kd.spec import StudySpec
    from nas_kd.spec.trust import expect_trusted

    kept = kept_spec(study) if study else None
    if study and not kept and not file and "budget" not in given:
        raise InvalidSpec((f"study: {study} holds none to go on with; a new one needs --budget",))
    settings = StudySpec.read(file) if file else {}
    if kept and not file and "budget" not in given:
        settings = kept.model_dump(exclude_none=True)
    expect_trusted(str(file or study), settings, trust, given)
    settings |= given
    if trials is not None:
        settings.pop("trials", None)
        asked = StudySpec.create(settings)
        kept = kept if study else kept_spec(default_folder(asked))
        settings["trials"] = more_trials(trials, kept.trials if kept else None)
    return StudySpec.create(settings)


def changed(
    study: Path, given: dict[str, Any], trust: bool, trials: str | None = None
) -> "StudySpec":
    """The spec of a study, with some settings changed. Raises UnusableStudy, InvalidSpec, and
    Unusable for code that only the study names."""
    from nas_kd.spec import StudySpec
    from nas_kd.spec.trust import expect_trusted
    from nas_kd.study.folder import StudyFolder

    kept = StudyFolder(study).read_spec().model_dump(exclude_none=True)
    expect_trusted(str(study), kept, trust, given)
    more = {"trials": more_trials(trials, kept["trials"])} if trials else {}
    return StudySpec.create(kept | given | more)


def kept_spec(folder: Path) -> "StudySpec | None":
    """The spec of the study in a folder, if there is one."""
    from nas_kd.study.folder import StudyFolder

    there = StudyFolder(folder)
    return there.read_spec() if there.has_spec() else None
