"""csv:PATH and parquet:PATH, a row an example; one column has the classes.

Rows without a class join the transfer set as unlabelled examples, but where groups are named. An
empty cell is missing, and so is a mark such as ? or NA in a column that else has numbers; a class
or a word may be called None or NA. Columns of text in which hardly any value comes twice (names,
numbers of tickets), and of whole numbers that differ in every row (the number of the row), are left
out, but where they are to be kept; columns of dates are taken apart. All of that is said.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.cells import Kind, kind_of, odd
from nas_kd.data.columns import expect_names, kinds_of, matrix
from nas_kd.data.dates import PARTS
from nas_kd.data.frames import modified, read, separator
from nas_kd.data.source import UNLABELLED, Labelled, Raw, Request, TableFile
from nas_kd.errors import UnusableData, suggestion

if TYPE_CHECKING:
    import pandas as pd

LABELS = ("label", "target", "class", "y")
"""Columns that are taken for the classes where none is named."""

DISTINCT = 0.5
"""A column of text with more distinct values than this share of the rows says nothing."""


EXACT = 2**24
"""The largest whole number that 32 bits hold together with all smaller ones."""

FEW = 20
"""In fewer rows whole numbers may all differ by chance; so few different labels are classes."""


def load(request: Request, *, path: str, kind: str) -> Raw:
    """The rows of a file. Raises UnusableData."""
    given, file = f"data {kind}:{path}", Path(path).expanduser()
    changed = modified(file)
    frame = read(file, kind, given)
    if kind == "csv" and (mark := separator(file)) != ",":
        request.tell(f"its columns are separated by {mark!r}")
    label = label_of(frame, request, given)
    groups_N = groups_of(frame, request, given)
    classes, labels_N = request.teacher_classes, np.zeros(len(frame), np.int64)
    if label is not None and not request.teacher_classes:
        classes, labels_N = labels_of(frame[label], request, given)
    if not file.is_dir():
        request.tell("the file's rows are kept in the cache, as they were read")
    if request.columns:
        names, kinds = [one.name for one in request.columns], kinds_of(request.columns)
        expect_names(frame.columns, names, given)
        rest = frame[names]
    else:
        apart = [name for name in (label, request.group) if name is not None]
        rest, kinds = features(frame, apart, request, given)
    if rest.shape[1] == 0:
        right = "Add some, or name them with --keep COLUMN."
        raise UnusableData(given, "has no column that tells of the classes", right)
    more = further(request, rest)
    if more:
        for name, known in kinds.items():
            if name in rest.columns and len(cells := odd(more.frame[name], known)):
                request.tell(f"column {name!r} of the unlabelled rows has {len(cells):,} cells "
                             f"that are no {known.name}s: they count as missing")  # fmt: skip
    whole = rest if more is None else more.rows(rest)
    table, rows_NK = matrix(whole, kinds, given, known=bool(request.columns))
    rows_NK, more_NK = rows_NK[: len(rest)], rows_NK[len(rest) :]
    known_N = labels_N >= 0
    groups = None if groups_N is None else groups_N[known_N]
    bare_N = np.zeros_like(known_N) if request.group else ~known_N
    unlabelled_NX = np.concatenate([rows_NK[bare_N], more_NK])
    numbers_N = np.concatenate([np.flatnonzero(bare_N), len(rest) + np.arange(len(more_NK))])
    return Raw(
        classes=classes,
        train=Labelled(rows_NK[known_N], labels_N[known_N], groups),
        unlabelled_NX=unlabelled_NX if len(unlabelled_NX) else None,
        table=table,
        files=(TableFile(kind, file, changed), *([more.file] if more else [])),
        numbers={"train": np.flatnonzero(known_N), "unlabelled": numbers_N},
    )


@dataclass(frozen=True, slots=True)
class Further:
    """A further file of rows without labels."""

    file: TableFile
    frame: "pd.DataFrame"

    def rows(self, before: "pd.DataFrame") -> "pd.DataFrame":
        """The rows of both, with the columns of the first."""
        import pandas as pd

        return pd.concat([before, self.frame[list(before.columns)]], ignore_index=True)


def further(request: Request, rest: "pd.DataFrame") -> Further | None:
    """The user's unlabelled rows, from another table with the same columns; None if there are none.

    Raises UnusableData.
    """
    if isinstance(request.unlabelled, int):
        return None
    kind, _, path = request.unlabelled.partition(":")
    given = f"unlabelled {request.unlabelled}"
    if kind not in ("csv", "parquet"):
        right = "Name a table with the same columns: --unlabelled FILE.csv."
        raise UnusableData(given, "is no table, and the data are one", right)
    file = Path(path).expanduser()
    changed = modified(file)
    frame = read(file, kind, given)
    expect_names(frame.columns, list(rest.columns), given)
    named = [str(name) for name in frame.columns if str(name) not in rest.columns]
    unused = f"; not used: {', '.join(named)}" if named else ""
    request.tell(f"{len(frame):,} unlabelled rows from {file}{unused}")
    return Further(TableFile(kind, file, changed), frame)


def groups_of(frame: "pd.DataFrame", request: Request, given: str) -> NDArray[Any] | None:
    """The group [N] of each row, if there are any. Raises UnusableData for rows without one."""
    if request.group is None:
        return None
    named = frame[column_of(frame, request.group, "--group", given)]
    if missing := int(named.isna().sum()):
        wrong = f"has {missing:,} rows without a {request.group!r}"
        raise UnusableData(given, wrong, "Fill them: each row is of some group.")
    request.tell(f"column {request.group!r} says which rows stay together, and is no feature")
    return named.astype(str).to_numpy()


def labels_of(
    column: "pd.Series[Any]", request: Request, given: str
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The classes, and each row's [N], UNLABELLED where its cell is empty. Raises UnusableData."""
    values_N = column.convert_dtypes()  # 1.0 beside a gap was a 1
    named_N = values_N.astype("string")
    if not named_N.notna().any():
        wrong = f"has no value in the column {column.name!r}"
        raise UnusableData(given, wrong, "It has the classes.")
    classes = class_names(values_N)
    expect_classes(values_N.dropna(), len(classes), f"{given}, column {column.name!r}")
    if unknown := int(named_N.isna().sum()):
        left = (
            "are left out: their groups may be in any of the splits"
            if request.group
            else "join the transfer set as unlabelled examples"
        )
        request.tell(f"{unknown:,} rows without a class {left}")
    places = {name: number for number, name in enumerate(classes)}
    labels_N: NDArray[np.int64] = np.asarray(named_N.map(places).fillna(UNLABELLED), np.int64)
    return classes, labels_N


def column_of(frame: "pd.DataFrame", name: str, flag: str, given: str) -> str:
    """The name, if there is such a column. Raises UnusableData listing them."""
    if name not in frame.columns:
        columns = tuple(map(str, frame.columns))
        right = f"{suggestion(name, columns)} Its columns are {', '.join(columns)}.".strip()
        raise UnusableData(f"{flag} {name}", f"is no column of {given}", right)
    return name


def label_of(frame: "pd.DataFrame", request: Request, given: str) -> str | None:
    """The column of the classes: the one that is named, or called so; of data that are to have no
    labels it is left out, if there is one. Raises UnusableData."""
    name = request.label
    if name is not None:
        return column_of(frame, name, "--label", given)
    called = [str(column) for column in frame.columns if str(column).lower() in LABELS]
    if request.teacher_classes and len(called) < 2:
        for column in called:
            request.tell(f"column {column!r} is taken for labels, which are not used")
        return called[0] if called else None
    if len(called) != 1:
        wrong = f"has {len(called) or 'no'} column{'s' if len(called) > 1 else ''} called "
        right = (
            f"Say which has the classes: --label COLUMN, of {', '.join(map(str, frame))}. Without "
            "labels, a teacher of yours says them: --teacher-classes NUMBER."
        )
        raise UnusableData(given, wrong + ", ".join(called or LABELS), right)
    return called[0]


def class_names(column: "pd.Series[Any]") -> tuple[str, ...]:
    """The classes in order: of their values, numbers as numbers."""
    return tuple(dict.fromkeys(column.dropna().sort_values().astype("string")))


def expect_classes(values: "pd.Series[Any]", classes: int, given: str) -> None:
    """Raise UnusableData for a column of labels that looks like a quantity."""
    from pandas.api.types import is_float_dtype

    broken = is_float_dtype(values.dtype) and (values % 1 != 0).any()
    if classes > FEW and (broken or classes > DISTINCT * len(values)):
        wrong = f"looks like a quantity: {classes:,} different values in {len(values):,} rows"
        right = "nas-kd classifies: name a column of classes, or cut this one into a few ranges."
        raise UnusableData(given, wrong, right)


def features(
    whole: "pd.DataFrame", apart: Sequence[str], request: Request, given: str
) -> tuple["pd.DataFrame", dict[str, Kind]]:
    """The columns that are features, without those that are `apart`, and what their cells are."""
    frame = whole.drop(columns=list(apart))
    for flag, names in (("--drop", request.drop), ("--keep", request.keep)):
        for name in names:
            if name in apart:
                raise UnusableData(f"{flag} {name}", "is no feature: it has the classes or the "
                                   "groups", "Leave the flag out.")  # fmt: skip
            column_of(frame, name, flag, given)
    if both := {*request.drop} & {*request.keep}:
        wrong = "is to be dropped and to be kept"
        raise UnusableData(f"the column {min(both)!r}", wrong, "Say one of --drop and --keep.")
    rest = frame.drop(columns=list(request.drop))
    expect_values(rest)
    kinds = {str(name): kind_of(column) for name, column in rest.items()}
    for name, kind in kinds.items():
        say(rest[name], kind, request.tell)
    return telling(rest, kinds, request), kinds


def say(column: "pd.Series[Any]", kind: Kind, tell: Callable[[str], None]) -> None:
    """Say what is taken for a date, and which cells are not what their column is."""
    if kind.written:
        *most, last = PARTS
        tell(f"column {column.name!r} has dates ({kind.written}); their {', '.join(most)} and "
             f"{last} are features where they differ; rows are not split by time"
        )  # fmt: skip
    if kind.name == "number" and column.dtype.kind == "i" and abs(column).max() > EXACT:
        tell(f"column {column.name!r} has whole numbers beyond {EXACT:,}, which are rounded")
    if len(cells := odd(column, kind)):
        some = ", ".join(map(repr, sorted({*cells.astype(str)})[:5]))
        tell(f"column {column.name!r} has {kind.name}s; cells that are none count as missing, "
             f"{len(cells):,} in all: {some}")  # fmt: skip


def expect_values(frame: "pd.DataFrame") -> None:
    """Raise UnusableData for a column of lists, or of other things that are no single values."""
    from pandas.api.types import infer_dtype

    for name, column in frame.items():
        try:
            column.nunique()
            if infer_dtype(column, skipna=True) == "bytes":
                raise TypeError("bytes")
        except TypeError as error:
            right = "Leave it out (--drop), or make columns of numbers or words of it."
            wrong = "has lists, bytes, or other things that are no numbers or words"
            raise UnusableData(f"the column {name!r}", wrong, right) from error


def telling(frame: "pd.DataFrame", kinds: Mapping[str, Kind], request: Request) -> "pd.DataFrame":
    """The frame without columns whose words differ in most rows or whose whole numbers differ in
    all, and without empty ones; their names are told."""
    out: dict[str, list[str]] = {}
    for name, column in frame.items():
        count = column.nunique()
        why = ""
        if name in request.keep:
            continue
        if count == 0:
            why = "empty"
        elif differs_everywhere(column):
            why = "a different whole number in every row"
        elif kinds[str(name)].name == "word":
            why = "different words in more than half of the rows" * (count > DISTINCT * len(frame))
        if why:
            out.setdefault(why, []).append(str(name))
    for why, names in out.items():
        request.tell(f"left out, {why}: {', '.join(names)} (--keep uses a column)")
    return frame.drop(columns=[name for names in out.values() for name in names])


def differs_everywhere(column: "pd.Series[Any]") -> bool:
    """Whether a column has a whole number in each row, and none twice."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    numbers = is_numeric_dtype(column.dtype) and not is_bool_dtype(column.dtype)
    if not numbers or column.isna().any() or len(column) < FEW:
        return False
    return bool(column.is_unique and (column % 1 == 0).all())
