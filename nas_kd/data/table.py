"""csv:PATH and parquet:PATH, a row an example; one column has the classes.

Rows without a class join the transfer set as unlabelled examples, but where groups are named. An
empty cell is missing, and so is a mark such as ? or NA in a column that else has numbers; a class
or a word may be called None or NA. Columns of text in which hardly any value comes twice (names,
numbers of tickets), and those that number the rows, are left out. Rows without a class, marks and
what is left out are said.
"""

from collections.abc import Callable, Container
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_kd.data.columns import expect_names, marked, matrix
from nas_kd.data.source import Labelled, Raw, Request, TableFile
from nas_kd.errors import UnusableData, suggestion

if TYPE_CHECKING:
    import pandas as pd

LABELS = ("label", "target", "class", "y")
"""Columns that are taken for the classes where none is named."""

DISTINCT = 0.5
"""A column of text with more distinct values than this share of the rows says nothing."""


FEW = 20
"""In so few rows whole numbers can follow one another by chance."""


def load(request: Request, *, path: str, kind: str) -> Raw:
    """The rows of a file. Raises UnusableData."""
    given = f"data {kind}:{path}"
    changed = modified(Path(path).expanduser())
    frame = read(path, kind, given)
    label = label_of(frame, request.label, given)
    groups = None
    if request.group is not None:
        named = frame[column_of(frame, request.group, "--group", given)]
        if named.isna().any():
            right = "Fill them: each row is of some group."
            raise UnusableData(given, f"has rows without a {request.group!r}", right)
        groups = named.astype(str).to_numpy()
    values_N = frame[label].convert_dtypes()  # 1.0 beside a gap was a 1
    classes_N = values_N.astype("string")
    labelled_N = classes_N.notna().to_numpy()
    if not labelled_N.any():
        raise UnusableData(given, f"has no value in the column {label!r}", "It has the classes.")
    classes = class_names(values_N)
    if unknown := int((~labelled_N).sum()):
        left = (
            "are left out, for their groups may be in another split"
            if request.group
            else ("join the transfer set as unlabelled examples")
        )
        request.tell(f"{unknown:,} rows without a class {left}")
    if not Path(path).expanduser().is_dir():
        request.tell("the file's rows are kept in the cache, as they were read")
    rest = features(frame, [label, *([request.group] if request.group else [])], request, given)
    if rest.shape[1] == 0:
        raise UnusableData(given, "has no column beside that of the classes", "Add some.")
    table, rows_NK = matrix(rest, given)
    words = {name: number for number, name in enumerate(classes)}
    labels_N = np.array([words[name] for name in classes_N[labelled_N]], np.int64)
    return Raw(
        classes=classes,
        train=Labelled(
            rows_NK[labelled_N], labels_N, None if groups is None else groups[labelled_N]
        ),
        unlabelled_NX=None if labelled_N.all() or request.group else rows_NK[~labelled_N],
        table=table,
        file=TableFile(kind, Path(path).expanduser(), changed),
        numbers={"train": np.flatnonzero(labelled_N), "unlabelled": np.flatnonzero(~labelled_N)},
    )


def modified(file: Path) -> int:
    """When a file was last changed, in nanoseconds; 0 if there is none, which `read` says."""
    return file.stat().st_mtime_ns if file.exists() else 0


def read(path: str, kind: str, given: str) -> "pd.DataFrame":
    """The file as a frame. Raises UnusableData."""
    import pandas as pd

    try:
        frame = separated(path) if kind == "csv" else pd.read_parquet(Path(path).expanduser())
    except UnicodeDecodeError as error:
        wrong = f"is not UTF-8 ({error.reason} at byte {error.start:,})"
        raise UnusableData(given, wrong, "Save it as UTF-8.") from error
    except ImportError as error:
        right = "Install the extra: pip install 'nas-kd[parquet]'"
        raise UnusableData(given, f"needs the package pyarrow ({error})", right) from error
    except (OSError, ValueError) as error:
        raise UnusableData(given, f"cannot be read ({error})", "Name a readable file.") from error
    frame.columns = frame.columns.astype(str)
    return frame


def separated(path: str) -> "pd.DataFrame":
    """A file of values separated by commas, or where its header has none, by semicolons or tabs."""
    import pandas as pd

    file = Path(path).expanduser()
    header = [str(name) for name in pd.read_csv(file, nrows=0)]
    between = next((mark for mark in ";\t" if len(header) == 1 and mark in header[0]), ",")
    return pd.read_csv(file, sep=between, keep_default_na=False, na_values=[""], low_memory=False)


def column_of(frame: "pd.DataFrame", name: str, flag: str, given: str) -> str:
    """The name, if there is such a column. Raises UnusableData listing them."""
    if name not in frame.columns:
        columns = tuple(map(str, frame.columns))
        right = f"{suggestion(name, columns)} Its columns are {', '.join(columns)}.".strip()
        raise UnusableData(f"{flag} {name}", f"is no column of {given}", right)
    return name


def label_of(frame: "pd.DataFrame", name: str | None, given: str) -> str:
    """The column of the classes: the one that is named, or called so. Raises UnusableData."""
    if name is not None:
        return column_of(frame, name, "--label", given)
    called = [str(column) for column in frame.columns if str(column).lower() in LABELS]
    if len(called) != 1:
        wrong = f"has {len(called) or 'no'} column{'s' if len(called) > 1 else ''} called "
        right = f"Say which has the classes: --label COLUMN, of {', '.join(map(str, frame))}."
        raise UnusableData(given, wrong + ", ".join(called or LABELS), right)
    return called[0]


def class_names(column: "pd.Series[Any]") -> tuple[str, ...]:
    """The classes in order: of their values, numbers as numbers."""
    return tuple(dict.fromkeys(column.dropna().sort_values().astype("string")))


def features(
    frame: "pd.DataFrame", apart: list[str], request: Request, given: str
) -> "pd.DataFrame":
    """The columns that are named, or those that are left and tell something."""
    if request.columns:
        expect_names(frame.columns, request.columns, given)
        return frame[list(request.columns)]
    rest = frame.drop(columns=apart)
    numbers = marked(rest)
    for name, marks in numbers.items():
        request.tell(f"column {name!r} has numbers; {' and '.join(marks)} in it are missing values")
    return telling(rest, numbers, request.tell)


def telling(
    frame: "pd.DataFrame", numbers: Container[str], tell: Callable[[str], None]
) -> "pd.DataFrame":
    """The frame without columns that tell nearly every row from all others: of text that is not
    `numbers` with marks, or of the numbers of the rows."""
    from pandas.api.types import is_numeric_dtype

    out, rows = [], []
    for name, column in frame.items():
        try:
            if counts_rows(column):
                rows.append(name)
            elif is_numeric_dtype(column.dtype) or name in numbers:
                continue
            elif column.nunique() > DISTINCT * len(frame):
                out.append(name)
        except TypeError as error:
            right = "Leave it out, or make columns of numbers or words of it."
            wrong = "has lists, or other things that are no single values"
            raise UnusableData(f"the column {name!r}", wrong, right) from error
    if out:
        tell(f"left out, a different word in nearly every row: {', '.join(map(str, out))}")
    if rows:
        tell(f"left out, the number of the row: {', '.join(map(str, rows))}")
    return frame.drop(columns=[*out, *rows])


def counts_rows(column: "pd.Series[Any]") -> bool:
    """Whether a column has whole numbers without a gap, a different one in each row."""
    from pandas.api.types import is_integer_dtype

    if not is_integer_dtype(column.dtype) or column.isna().any() or len(column) < FEW:
        return False
    return bool(column.is_unique and column.max() - column.min() == len(column) - 1)
