"""Columns of dates: found by what all of their values are, and taken apart."""

import numpy as np
import pandas as pd
import pytest

from nas_kd.data.dates import FORMATS, format_of, part, seconds

DAYS = pd.Series(pd.date_range("2023-12-30 22:00", periods=200, freq="7h"), name="when")


@pytest.mark.parametrize("written", [f for f in FORMATS if f != "ISO8601"])
def test_dates_are_read_as_they_are_written(written: str) -> None:
    text = DAYS.dt.strftime(written)
    found = format_of(text, 0)
    assert found is not None
    back = pd.to_datetime(pd.Series(seconds(text, found)), unit="s").dt.strftime(written)
    assert back.tolist() == text.tolist()


def test_dates_with_gaps_and_time_zones_are_dates() -> None:
    text = DAYS.dt.strftime("%Y-%m-%dT%H:%M:%S+02:00").where(DAYS.index % 3 > 0)
    assert format_of(text, 0) == "ISO8601"
    found = seconds(text, "ISO8601")
    assert np.isnan(found[0])
    assert found[1] == DAYS[1].timestamp() - 2 * 3600


@pytest.mark.parametrize(
    "words",
    [
        ["2012", "2013"],
        ["10-12", "13-15"],
        ["2020-01-01", "never"],
        ["2020-01-01", "2020-13-01"],
        ["north", "south"],
        ["T-38A", "B-737-300"],
        ["12:30:15", "13:30:15"],
        ["10.0.0.1", "10.0.0.2"],
    ],
)
def test_words_are_no_dates(words: list[str]) -> None:
    assert format_of(pd.Series(words), 0) is None


def test_the_parts_of_a_date_are_those_of_the_calendar() -> None:
    found = seconds(DAYS, "ISO8601")
    for name in ("year", "month", "day", "hour"):
        assert part(name, found).tolist() == getattr(DAYS.dt, name).tolist()
    assert part("weekday", found).tolist() == DAYS.dt.day_of_week.tolist()
    before = np.array([pd.Timestamp("1969-07-20 20:17").timestamp()])
    parts = [part(name, before)[0] for name in ("year", "month", "day", "weekday", "hour")]
    assert parts == [1969, 7, 20, 6, 20]
