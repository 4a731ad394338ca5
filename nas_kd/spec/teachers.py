"""How teachers are named: `train`, `module:function`, `torchvision:NAME`, a file such as
`onnx:PATH`, or several joined by +, which are an ensemble."""

from pathlib import Path

from nas_kd.files import expect_utf8

WIDEST = 1024
"""Channels of the first stage of a teacher that is trained here."""

TRAINED = "train"
"""The name of the teacher that is trained when none is given; `train:8` is one of that width."""

FROM_PYTHON = "python:"
"""What the names of objects that were given from Python begin with."""

TEACHER_FILES = {
    "onnx": (".onnx",),
    "pt2": (".pt2",),
    "skops": (".skops",),
    "pickle": (".pkl", ".pickle", ".joblib"),
    "npz": (".npz",),
    "csv": (".csv",),
    "parquet": (".parquet",),
}
"""Kinds of teachers that are a file, by the ends of its name: a network, a fitted estimator, or a
table of answers."""

TABLES = ("npz", "csv", "parquet")
"""Those of them that are a table of answers."""

BY = "+"


def kind_of(name: str) -> str:
    """What kind of teacher has a name: what stands before its colon, or `train`."""
    return name.partition(":")[0]


def path_of(name: str) -> Path | None:
    """The file that a teacher is; None if it is none."""
    kind, _, rest = name.partition(":")
    return Path(rest) if kind in TEACHER_FILES and rest else None


def parts_of(name: str) -> tuple[str, ...]:
    """The teachers of an ensemble, or the name alone."""
    return tuple(name.split(BY))


def parts_in(names: tuple[str, ...]) -> tuple[str, ...]:
    """All teachers that are named, those of ensembles each."""
    return tuple(part for name in names for part in parts_of(name))


def placed_teacher(name: str) -> str:
    """The name with the paths of files from the root on, and with the kind of a file that is named
    by its path alone. Raises ValueError for what names no teacher."""
    text = name.strip()
    if BY in text and Path(text.partition(":")[2] or text).expanduser().exists():
        raise ValueError(f"{text!r} has a + in its path, which joins teachers: rename it")
    return BY.join(map(placed_part, text.split(BY)))


def placed_part(text: str) -> str:
    """The name of one teacher, as `placed_teacher` gives it. Raises ValueError."""
    ends = {end: kind for kind, ends in TEACHER_FILES.items() for end in ends}
    kind = ends.get(Path(text).suffix.lower())
    if kind and (":" not in text or Path(text).expanduser().exists()):
        text = f"{kind}:{text}"
    if not text or text.endswith(":") or (":" not in text and text != TRAINED):
        files = ", ".join(end for ends in TEACHER_FILES.values() for end in ends)
        forms = f"train, module:function, torchvision:resnet18, timm:NAME, or a file: {files}"
        raise ValueError(f"{text!r} names no teacher; say {forms}")
    start, _, rest = text.partition(":")
    few = rest.isdecimal() and len(rest) < 5
    if start == TRAINED and rest and not (few and 1 <= int(rest) <= WIDEST):
        raise ValueError(f"{text!r}: a width is a whole number up to {WIDEST}, as in train:20")
    path = path_of(text)
    whole = expect_utf8(path.expanduser().resolve()) if path else None
    if whole and BY in str(whole):
        raise ValueError(f"{whole} has a + in its path, which joins teachers: rename it")
    return f"{start}:{whole}" if whole else text


def can_be_narrowed(name: str) -> bool:
    """Whether a teacher is one network whose code can be called: module:function or
    torchvision:NAME."""
    return ":" in name and BY not in name and kind_of(name) not in (
        TRAINED, "python", "timm", *TEACHER_FILES
    )  # fmt: skip


def short_name(name: str) -> str:
    """A teacher's name as people read it: without the folders of its files."""
    return BY.join(map(short_part, parts_of(name)))


def short_part(name: str) -> str:
    """The name of one teacher without the folders of its file."""
    path = path_of(name)
    return path.name if path else name
