"""Tables: what is learnt of them is learnt on the train split, and groups are never parted."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nas_kd.check.examples import of_examples
from nas_kd.check.finding import Fact
from nas_kd.data import source_of
from nas_kd.data.cells import Kind
from nas_kd.data.columns import Column, column_in_words, encode_frame, learn, matrix
from nas_kd.data.source import Request
from nas_kd.data.transfer import TransferSet, prepare, size
from nas_kd.errors import UnusableData

ROWS = 400


def people(**changes: Any) -> pd.DataFrame:
    """Rows with a number that is missing at times, a word that is, and three classes."""
    random = np.random.default_rng(0)
    age = random.normal(40, 10, ROWS)
    age[::7] = np.nan
    port = random.choice(["north", "south"], ROWS).astype(object)
    port[::9] = None
    columns = {
        "age": age,
        "port": port,
        "aboard": random.random(ROWS) < 0.5,
        "ticket": [f"T{row}" for row in range(ROWS)],
        "family": np.arange(ROWS) // 4,
        "class": random.choice(["a", "b", "c"], ROWS),
    }
    return pd.DataFrame(columns | changes)


def sorted_people() -> pd.DataFrame:
    """Rows whose class can be told from the age and the port."""
    frame = people()
    old, north = frame["age"].fillna(40) > 40, frame["port"] == "north"
    frame["class"] = np.where(old, np.where(north, "a", "b"), "c")
    return frame


def prepared(frame: pd.DataFrame, tmp_path: Path, kind: str = "csv", **asked: Any) -> TransferSet:
    """The frame, written and read."""
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / f"people.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    name = f"{kind}:{path}"
    return prepare(name, source_of(name), Request(tmp_path, **asked), cache=tmp_path / "cache")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_numbers_words_and_missing_values_become_features(tmp_path: Path, kind: str) -> None:
    said: list[str] = []
    data = prepared(people(), tmp_path, kind, tell=said.append)
    features = [feature for column in data.columns for feature in column.features]
    assert features == [
        "age", "age is missing", "port = north", "port = south", "port is missing", "aboard",
        "family",
    ]  # fmt: skip
    assert data.input_shape == (7,)
    assert data.classes == ("a", "b", "c")
    assert any("ticket" in text for text in said)
    assert np.isfinite(data.examples.open()).all()


def test_what_fills_in_is_the_median_of_the_train_split(tmp_path: Path) -> None:
    data = prepared(people(), tmp_path)
    train = data.examples.open()[slice(*data.train)]
    there = train[train[:, 1] == 0, 0]
    assert data.columns[0].fill == pytest.approx(float(np.median(there)), abs=1e-5)
    assert data.mean[0] == pytest.approx(float(train[:, 0].mean()), rel=1e-5)


def test_a_word_that_the_train_split_has_not_is_no_word() -> None:
    table, rows = matrix(
        pd.DataFrame({"port": ["north", "south", "west"]}), {"port": Kind("word")}, "data"
    )
    columns = learn(table, rows[:2], 50)
    assert columns == (Column("port", ("north", "south")),)
    frame = pd.DataFrame({"port": ["west", "south", None]})
    assert encode_frame(frame, columns).tolist() == [[0, 0], [0, 1], [0, 0]]


def test_columns_survive_json(tmp_path: Path) -> None:
    data = prepared(people(), tmp_path)
    assert TransferSet.from_json(data.to_json()) == data
    dates = prepared(people(when=days()), tmp_path / "dated")
    assert TransferSet.from_json(dates.to_json()).columns == dates.columns


def test_a_group_stays_in_one_split(tmp_path: Path) -> None:
    frame = people(family=np.arange(ROWS) // 4)
    frame["code"] = frame["family"]  # a number that shows which group a row is of
    data = prepared(frame, tmp_path, group="family")
    features = [feature for column in data.columns for feature in column.features]
    values = data.examples.open()[:, features.index("code")]
    parts = [set(values[slice(*rows)]) for rows in (data.train, data.validation, data.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert size(data.test) == pytest.approx(0.2 * ROWS, abs=0.05 * ROWS)


def test_rows_without_a_class_are_unlabelled_examples(tmp_path: Path) -> None:
    labels = people()["class"].astype(object)
    labels[:50] = None
    data = prepared(people(**{"class": labels}), tmp_path)
    assert size(data.train) - size(data.labelled) == 50


@pytest.mark.parametrize("word", ["None", "NA", "null", "nan", "n/a", "<NA>", "NULL", "-", "?"])
def test_a_class_and_a_word_may_be_called_as_pandas_calls_what_is_missing(
    word: str, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    classes, kinds = random.choice([word, "some"], ROWS), random.choice([word, "red"], ROWS)
    said: list[str] = []
    data = prepared(people(port=kinds, **{"class": classes}), tmp_path, tell=said.append)
    assert set(data.classes) == {word, "some"}
    (port,) = (column for column in data.columns if column.name == "port")
    assert (set(port.words or ()), port.flagged) == ({word, "red"}, False)
    assert data.train == data.labelled
    assert not any("without a class" in text for text in said)


@pytest.mark.parametrize("mark", ["?", "-", "NA", " ", "n/a", "None", "Missing"])
def test_a_column_of_numbers_and_a_few_marks_is_numbers_with_gaps(
    mark: str, tmp_path: Path
) -> None:
    age = people()["age"].round(1)
    written = [mark if np.isnan(value) else str(value) for value in age]
    said: list[str] = []
    data = prepared(people(age=written), tmp_path, tell=said.append)
    same = prepared(people(age=age), tmp_path)
    assert (data.columns, data.examples.sha256) == (same.columns, same.examples.sha256)
    assert any(text.endswith(f" in all: {mark!r}") for text in said)
    frame = pd.DataFrame({"age": [mark, "41.5"]})
    (age_column,) = (column for column in data.columns if column.name == "age")
    assert encode_frame(frame, [age_column])[:, 1].tolist() == [1.0, 0.0]


def test_columns_that_number_the_rows_are_left_out_and_named(tmp_path: Path) -> None:
    said: list[str] = []
    shuffled = np.random.default_rng(0).permutation(ROWS) + 5000
    frame = people(**{"Unnamed: 0": np.arange(ROWS), "id": shuffled, "price": shuffled * 3})
    data = prepared(frame, tmp_path, tell=said.append)
    names = {column.name for column in data.columns}
    assert names.isdisjoint({"Unnamed: 0", "id", "price"})
    assert "family" in names
    why = "left out, a different whole number in every row"
    assert f"{why}: Unnamed: 0, id, price (--keep uses a column)" in said
    kept = prepared(frame, tmp_path, keep=("price",))
    assert "price" in {column.name for column in kept.columns}


@pytest.mark.parametrize("between", [";", "\t"])
def test_semicolons_and_tabs_separate_where_the_header_has_no_comma(
    between: str, tmp_path: Path
) -> None:
    commas = prepared(people(), tmp_path)
    people().to_csv(tmp_path / "other.csv", index=False, sep=between)
    name = f"csv:{tmp_path / 'other.csv'}"
    said: list[str] = []
    request = Request(tmp_path, tell=said.append)
    other = prepare(name, source_of(name), request, cache=tmp_path / "cache")
    assert f"its columns are separated by {between!r}" in said
    assert (other.columns, other.examples.sha256) == (commas.columns, commas.examples.sha256)


def test_a_table_that_is_not_utf_8_says_so(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_bytes("x,class\n1,léger\n".encode("latin-1"))
    name = f"csv:{tmp_path / 'old.csv'}"
    with pytest.raises(UnusableData, match=r"is not UTF-8 .*Save it as UTF-8"):
        prepare(name, source_of(name), Request(tmp_path), cache=tmp_path / "cache")


def days(start: str = "2025-11-03") -> list[str]:
    return pd.Series(pd.date_range(start, periods=ROWS)).dt.strftime("%d.%m.%Y").tolist()


def test_a_column_of_dates_becomes_what_differs_of_them(tmp_path: Path) -> None:
    said: list[str] = []
    data = prepared(people(when=days()), tmp_path, tell=said.append)
    names = [f for column in data.columns for f in column.features if "when" in f]
    assert names == [
        "when: year",
        "when: month",
        "when: day",
        "when: weekday",
    ]  # the hour is always 0
    assert any("'when' has dates (%d.%m.%Y)" in text for text in said)
    frame = people(when=days("2030-01-01")).head(3)
    features = dict(zip(names, encode_frame(frame, data.columns)[0, -4:], strict=True))
    assert features == {"when: year": 2030, "when: month": 1, "when: day": 1, "when: weekday": 1}
    with pytest.raises(UnusableData, match=r"'01/02/2030' in the column 'when'.*%d\.%m\.%Y"):
        encode_frame(frame.assign(when="01/02/2030"), data.columns)


def test_a_stray_cell_costs_no_column_and_is_said(tmp_path: Path) -> None:
    age = people()["age"].round(1).astype(object)
    age[3], when = "err", [*days()[1:], "n/a"]
    said: list[str] = []
    data = prepared(people(age=age, when=when), tmp_path, tell=said.append)
    assert {"age", "when"} <= {column.name for column in data.columns}
    assert "column 'age' has numbers; cells that are none count as missing, 1 in all: 'err'" in said
    assert "column 'when' has dates; cells that are none count as missing, 1 in all: 'n/a'" in said


def test_a_single_row_is_encoded_as_it_is_among_others(tmp_path: Path) -> None:
    age = people()["age"].round(1).astype(object)
    age[:20] = "?"
    frame = people(age=age, when=days())
    data = prepared(frame, tmp_path)
    read = pd.read_csv(tmp_path / "people.csv", keep_default_na=False, na_values=[""])
    together = encode_frame(read, data.columns)
    for row in (0, 19, 20, 28, 399):
        assert np.array_equal(encode_frame(read.iloc[[row]], data.columns)[0], together[row])
    as_text = encode_frame(read.astype(str).where(read.notna()), data.columns)
    assert np.array_equal(as_text, together)


def test_numbers_with_decimal_commas_are_numbers(tmp_path: Path) -> None:
    people().to_csv(tmp_path / "german.csv", index=False, sep=";", decimal=",")
    name = f"csv:{tmp_path / 'german.csv'}"
    german = prepare(name, source_of(name), Request(tmp_path), cache=tmp_path / "cache")
    assert german.columns == prepared(people(), tmp_path).columns


def test_words_that_nobody_knows_are_a_warning(tmp_path: Path) -> None:
    data = prepared(people(), tmp_path)
    with pytest.warns(UserWarning, match="no word in the column 'port' is one that the study had"):
        encode_frame(people(port="west"), data.columns)


def test_a_parquets_index_is_a_column_like_others(tmp_path: Path) -> None:
    frame = people()
    frame.set_index("aboard").to_parquet(tmp_path / "people.parquet")
    name = f"parquet:{tmp_path / 'people.parquet'}"
    data = prepare(name, source_of(name), Request(tmp_path), cache=tmp_path / "cache")
    assert "aboard" in {column.name for column in data.columns}


def test_rows_of_more_fields_than_the_header_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,y\n" + "7,1,2,0\n" * 20)
    name = f"csv:{tmp_path / 't.csv'}"
    with pytest.raises(UnusableData, match="rows have more fields than the header has names"):
        prepare(name, source_of(name), Request(tmp_path), cache=tmp_path / "cache")


def test_dates_of_parquet_are_dates(tmp_path: Path) -> None:
    when = pd.Series(pd.date_range("2024-01-01", periods=ROWS)).dt.date
    data = prepared(people(when=when), tmp_path, "parquet")
    (column,) = (one for one in data.columns if one.name == "when")
    assert column.parts == ("year", "month", "day", "weekday")


def test_a_table_whose_only_column_never_differs_is_named(tmp_path: Path) -> None:
    frame = people(when="2024-01-01")[["when", "class"]]
    with pytest.raises(UnusableData, match="differ in nothing: when"):
        prepared(frame, tmp_path)


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"drop": ("class",)}, "--drop class: is no feature: it has the classes"),
        ({"drop": ("age",), "keep": ("age",)}, "is to be dropped and to be kept"),
    ],
)
def test_flags_that_contradict_one_another_are_named(
    asked: dict[str, Any], wrong: str, tmp_path: Path
) -> None:
    with pytest.raises(UnusableData, match=wrong):
        prepared(people(), tmp_path, **asked)


def test_infinite_values_are_named_with_their_column(tmp_path: Path) -> None:
    with pytest.raises(UnusableData, match="too large for 32 bits in the column 'age'"):
        prepared(people(age=np.inf), tmp_path)


def test_whole_numbers_that_are_rounded_are_said(tmp_path: Path) -> None:
    numbers = 1_600_000_000 + np.arange(ROWS) // 2
    data = prepared(people(stamp=numbers), tmp_path)
    assert "column 'stamp' has whole numbers beyond 16,777,216, which are rounded" in data.notes


def test_words_that_look_like_truth_are_words(tmp_path: Path) -> None:
    data = prepared(people(flag=["True", "False", "maybe", "maybe"] * 100), tmp_path)
    one = encode_frame(people(flag=["True", "False"] * 200), data.columns)
    assert one[:2, -3:].tolist() == [[0, 1, 0], [1, 0, 0]]


def test_the_groups_are_said_to_be_no_feature(tmp_path: Path) -> None:
    data = prepared(people(), tmp_path, group="family")
    said = "column 'family' says which rows stay together, and is no feature"
    assert said in data.notes


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_missing_date_is_the_median_and_flagged(kind: str, tmp_path: Path) -> None:
    when = pd.Series(pd.date_range("2024-01-01", periods=ROWS, freq="h"))
    data = prepared(people(when=when.where(when.index % 5 > 0)), tmp_path, kind)
    (column,) = (one for one in data.columns if one.name == "when")
    assert column.features[-1] == "when is missing"
    assert column.parts == ("day", "weekday", "hour")
    assert when.iloc[100].timestamp() < column.fill < when.iloc[300].timestamp()


def test_the_commonest_words_have_features_and_the_others_are_counted(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    city = [f"city {n}" for n in random.geometric(0.08, ROWS)]
    data = prepared(people(city=city), tmp_path, words=6)
    (column,) = (one for one in data.columns if one.name == "city")
    assert column.words is not None
    assert len(column.features) == len(column.words) == 6
    train = pd.Series(city)[data.origin.rows.open()[slice(*data.train), 1]].value_counts()
    assert sorted(train[[*column.words]]) == sorted(train[:6])
    assert column.merged == len(train) - 6
    assert f"{len(train)} words, of which the 6 commonest have a feature each" in column_in_words(
        column
    )
    default = prepared(people(city=city), tmp_path)
    assert default.key != data.key


def test_each_column_is_told_how_it_is_encoded(tmp_path: Path) -> None:
    data = prepared(people(when=days()), tmp_path)
    facts = [fact.text for fact in of_examples(data) if fact.about == "column"]
    assert len(facts) == len(data.columns)
    assert facts[0].startswith("'age' is a number, 3")
    assert facts[0].endswith(" where it is missing: 2 features, one says whether it is missing")
    missing = "3 features, one says whether it is missing"
    assert f"'port' has 2 words, each with a feature: {missing}" in facts
    assert (
        "'when' is a date, of which year and month and day and weekday differ: 4 features" in facts
    )


def test_columns_that_are_dropped_are_not_used(tmp_path: Path) -> None:
    data = prepared(people(), tmp_path, drop=("age", "port"))
    assert {column.name for column in data.columns} == {"aboard", "family"}


def test_a_column_that_tells_nothing_is_used_where_it_is_kept(tmp_path: Path) -> None:
    data = prepared(people(), tmp_path, keep=("ticket",), words=3)
    (column,) = (one for one in data.columns if one.name == "ticket")
    assert len(column.features) == 3


def test_an_empty_column_is_left_out_and_named(tmp_path: Path) -> None:
    said: list[str] = []
    prepared(people(notes=None), tmp_path, tell=said.append)
    assert "left out, empty: notes (--keep uses a column)" in said


def test_a_file_of_too_many_columns_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(",".join(["y", *(f"x{n}" for n in range(20_000))]) + "\n")
    with pytest.raises(UnusableData, match=r"20,001 columns, and 10,000 are the most"):
        prepare("csv", source_of(f"csv:{path}"), Request(tmp_path), cache=tmp_path)


def test_what_is_said_of_data_is_said_again_of_the_prepared_copy(tmp_path: Path) -> None:
    first, again = list[str](), list[str]()
    data = prepared(people(), tmp_path, tell=first.append)
    name = f"csv:{tmp_path / 'people.csv'}"
    request = Request(tmp_path, tell=again.append)
    same = prepare(name, source_of(name), request, cache=tmp_path / "cache")
    assert first == again == list(data.notes) == list(same.notes)
    assert any("different words in more than half of the rows: ticket" in text for text in first)
    assert any(fact.text == first[-1] for fact in of_examples(data) if isinstance(fact, Fact))


def test_rows_without_a_class_are_left_out_where_groups_are_named(tmp_path: Path) -> None:
    labels = people()["class"].astype(object)
    labels[:50] = None
    said: list[str] = []
    frame = people(**{"class": labels})
    data = prepared(frame, tmp_path, group="family", tell=said.append)
    assert data.train == data.labelled
    assert any("50 rows without a class are left out" in text for text in said)


def test_classes_that_are_numbers_are_in_their_order(tmp_path: Path) -> None:
    data = prepared(people(**{"class": np.arange(ROWS) % 11}), tmp_path)
    assert data.classes == tuple(map(str, range(11)))
    with_a_gap = people(**{"class": [None, *(np.arange(ROWS - 1) % 11)]})
    assert prepared(with_a_gap, tmp_path).classes == data.classes


@pytest.mark.parametrize(
    ("frame", "asked", "message"),
    [
        (people(), {"label": "clas"}, "Did you mean 'class'"),
        (people(), {"group": "kin"}, "--group kin: is no column"),
        (people(y=1), {}, "has 2 columns called class, y"),
        (people().drop(columns="class"), {}, "Say which has the classes: --label COLUMN"),
        (people(age=np.inf), {}, "infinite"),
        (people(age=1e39), {}, "too large for 32 bits"),
        (people(age=[[1]] * ROWS), {}, "the column 'age': has lists"),
        (people(family=1), {"group": "family"}, "has only 1 groups"),
        (people(), {"group": "port"}, "has 45 rows without a 'port'"),
        (people(**{"class": None}), {}, "has no value in the column 'class'"),
        (people()[["class"]], {}, "has no column that tells"),
        (people(y=range(ROWS)), {"label": "y"}, "looks like a quantity"),
        (people(y=np.linspace(0, 1, ROWS).round(2)), {"label": "y"}, "looks like a quantity"),
        (people(y=pd.date_range("2020", periods=ROWS)), {"label": "y"}, "looks like a quantity"),
        (people(), {"drop": ("prot",)}, "--drop prot: is no column"),
        (people(), {"keep": ("prot",)}, "Did you mean 'port'"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(
    tmp_path: Path, frame: pd.DataFrame, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnusableData, match=message):
        prepared(frame, tmp_path, "parquet", **asked)


def test_a_frame_without_the_studys_columns_is_refused() -> None:
    columns = (Column("age", None), Column("port", ("north",)))
    with pytest.raises(UnusableData, match="has no column 'port'"):
        encode_frame(pd.DataFrame({"age": [1.0]}), columns)
    with pytest.raises(UnusableData, match="has 'old' in the column 'age'"):
        encode_frame(pd.DataFrame({"age": ["old"], "port": ["north"]}), columns)


def test_codes_that_happen_to_be_numbers_are_the_words_that_they_were() -> None:
    columns = (Column("code", ("7", "A1")),)
    assert encode_frame(pd.DataFrame({"code": [7, 7]}), columns).tolist() == [[1.0, 0.0]] * 2
    with pytest.raises(UnusableData, match="has numbers in the column 'code'"):
        encode_frame(pd.DataFrame({"code": [7, 8]}), columns)


def test_values_that_are_too_large_are_refused_later_too() -> None:
    with pytest.raises(UnusableData, match="too large for 32 bits"):
        encode_frame(pd.DataFrame({"age": [1e39]}), (Column("age", None),))


def test_a_row_may_miss_any_value() -> None:
    columns = (Column("age", None, fill=30.0, flagged=True), Column("port", ("north",)))
    for nothing in (np.nan, None):
        row = pd.DataFrame({"age": [nothing], "port": [nothing]})
        assert encode_frame(row, columns).tolist() == [[30.0, 1.0, 0.0]]


def test_yes_and_no_beside_a_gap_are_numbers_as_they_are_without_one(tmp_path: Path) -> None:
    aboard = people()["aboard"].astype(object)
    aboard[::5] = None
    columns = {c.name: c for c in prepared(people(aboard=aboard), tmp_path).columns}
    assert columns["aboard"].words is None
    assert columns["aboard"].flagged
    assert encode_frame(pd.DataFrame({"aboard": [True, None]}), [columns["aboard"]]).tolist() == [
        [1.0, 0.0], [columns["aboard"].fill, 1.0],
    ]  # fmt: skip


def test_a_date_that_never_differs_is_said_to_be_one() -> None:
    assert column_in_words(Column("when", None, date="ISO8601")) == (
        "'when' is a date that never differs: 0 features"
    )
