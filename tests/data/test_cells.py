"""What the cells of a column are."""

import numpy as np
import pandas as pd
import pytest

from nas_kd.data.cells import Kind, as_numbers, kind_of, odd, values_of
from nas_kd.errors import UnusableData

NUMBERS = [str(n / 2) for n in range(100)]
DAYS = [f"2024-01-{1 + n % 28:02}" for n in range(100)]


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (NUMBERS, "number"),
        ([*NUMBERS, "err"], "number"),
        ([*NUMBERS, *["?"] * 300], "number"),
        (["true", "FALSE", None] * 9, "number"),
        ([True, False, None], "number"),
        ([1, 2, None], "number"),
        ([*DAYS, "never"], "date"),
        ([*DAYS, "n/a", "?"], "date"),
        ([*NUMBERS, *["err"] * 20], "word"),
        ([*DAYS, *["never"] * 20], "word"),
        (["NA", "?"], "word"),
        ([None, None], "word"),
        (["a", 1, None], "word"),
        (["north", "south"], "word"),
    ],
)
def test_a_column_is_what_nearly_all_of_its_cells_are(cells: list[object], name: str) -> None:
    column = pd.Series(cells, dtype=object, name="x")
    assert kind_of(column).name == name


def test_the_cells_that_are_none_of_it_are_found() -> None:
    column = pd.Series([*NUMBERS, "err", "?", None], name="x")
    assert odd(column, Kind("number")).tolist() == ["err", "?"]
    _, values = values_of(column, Kind("number"), "the table", known=False)
    assert np.isnan(values[-3:]).all()
    assert odd(pd.Series([*DAYS, "soon"]), Kind("date", "ISO8601")).tolist() == ["soon"]


def test_in_a_column_that_is_known_marks_are_missing_and_all_else_is_named() -> None:
    number, date = Kind("number"), Kind("date", "%d.%m.%Y")
    _, values = values_of(pd.Series(["?"], name="x"), number, "the table", known=True)
    assert np.isnan(values).all()
    _, values = values_of(pd.Series(["78.0"], name="x"), number, "the table", known=True)
    assert values.tolist() == [78.0]
    with pytest.raises(UnusableData, match=r"has 'err' in the column 'x'.*had numbers there"):
        values_of(pd.Series(["1", "err"], name="x"), number, "the table", known=True)
    with pytest.raises(UnusableData, match=r"has '2024-01-01'.*dates, written as %d\.%m\.%Y"):
        values_of(pd.Series(["2024-01-01"], name="x"), date, "the table", known=True)


def test_true_and_false_are_1_and_0_however_they_are_written() -> None:
    assert as_numbers(pd.Series(["true", "False", "TRUE", "yes"])).fillna(-1).tolist() == [
        1,
        0,
        1,
        -1,
    ]
    assert as_numbers(pd.Series([True, None], dtype=object)).fillna(-1).tolist() == [1, -1]
