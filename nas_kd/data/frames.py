"""The file of a table as a frame: CSV, also with semicolons or tabs, and Parquet."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_kd.errors import UnusableData

if TYPE_CHECKING:
    import pandas as pd

MOST_COLUMNS = 10_000
"""A file of more columns is refused, a CSV before it is read."""


LINE = 2**26
"""So many bytes of the first line are looked at."""


def modified(file: Path) -> int:
    """When a file was last changed, in nanoseconds; 0 if there is none, which `read` says."""
    return file.stat().st_mtime_ns if file.exists() else 0


def read(file: Path, kind: str, given: str, text: tuple[str, ...] = ()) -> "pd.DataFrame":
    """The file as a frame; columns of a CSV that are `text` are not read as numbers. Raises
    UnusableData."""
    import pandas as pd

    try:
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise ValueError("it is no file")
        frame = separated(file, text) if kind == "csv" else pd.read_parquet(file)
        if not isinstance(frame.index, pd.RangeIndex):
            if kind == "csv":
                raise ValueError("rows have more fields than the header has names")
            frame = frame.reset_index()
        if frame.shape[1] > MOST_COLUMNS:
            raise ValueError(too_many(frame.shape[1]))
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


def separated(path: Path, text: tuple[str, ...] = ()) -> "pd.DataFrame":
    """A file of values separated by commas, or where its header has none, by semicolons or tabs.

    Raises ValueError for one of too many columns.
    """
    expect_narrow(path)
    between = separator(path)
    columns = len(header(path, between))
    if columns > MOST_COLUMNS:
        raise ValueError(too_many(columns))
    frame = read_separated(path, between, text=text)
    commas = between != "," and any(has_decimal_commas(frame[name]) for name in frame)
    return read_separated(path, between, ",", text) if commas else frame


def expect_narrow(path: Path) -> None:
    """Raise ValueError for a first line of far too many names, which would take minutes to part.
    A name in quotes may hold separators, so those of up to twice as many are counted properly."""
    with path.open("rb") as file:
        line = file.readline(LINE)
    if (names := 1 + max(line.count(mark) for mark in (b",", b";", b"\t"))) > 2 * MOST_COLUMNS:
        raise ValueError(too_many(names))


def read_separated(
    path: Path, between: str, decimal: str = ".", text: tuple[str, ...] = ()
) -> "pd.DataFrame":
    """A file of values separated like this; only an empty cell is missing."""
    import pandas as pd

    return pd.read_csv(
        path,
        sep=between,
        decimal=decimal,
        keep_default_na=False,
        na_values=[""],
        low_memory=False,
        dtype=dict.fromkeys(text, object),
    )


def has_decimal_commas(column: "pd.Series[Any]") -> bool:
    """Whether the cells of a column are numbers with decimal commas."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype) or not column.notna().any():
        return False
    cells = column.dropna().astype(str).str.strip()
    return bool(cells.str.fullmatch(r"[-+]?\d+(,\d+)?").all() and cells.str.contains(",").any())


def too_many(columns: int) -> str:
    """What is wrong with so many columns."""
    return f"{columns:,} columns, and {MOST_COLUMNS:,} are the most"


def separator(path: Path) -> str:
    """What stands between the names in a file's header."""
    names = header(path, ",")
    return next((mark for mark in ";\t" if len(names) == 1 and mark in names[0]), ",")


def header(path: Path, between: str) -> list[str]:
    """The names in a file's header."""
    import pandas as pd

    return [str(name) for name in pd.read_csv(path, sep=between, nrows=0)]
