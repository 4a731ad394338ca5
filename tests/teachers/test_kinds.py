"""Every kind of teacher: a search from it ends in a student, and its answers are what they were."""

import threading
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from skops import io
from torch import nn

from nas_kd.data import source_of
from nas_kd.data.source import Request
from nas_kd.data.transfer import TransferSet, prepare, size
from nas_kd.driver.teacher_names import describe
from nas_kd.errors import InvalidSpec, UnusableTeacher
from nas_kd.teachers import TEACHERS, opened
from nas_kd.teachers.asking import answers_to
from nas_kd.teachers.from_python import give
from nas_kd.training import normaliser, tensor
from tests.conftest import results, searched, tiny
from tests.teachers import own

WORDS = ("red", "green", "blue")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A table with words, missing cells and marks, whose classes are words."""
    random = np.random.default_rng(0)
    age, colour = random.normal(40, 12, 900), random.choice(WORDS, 900)
    odds = (age - 40) / 6 + 2 * (colour == "red") - (colour == "blue")
    outcome = np.where(odds + random.normal(0, 0.6, 900) > 0, "yes", "no")
    frame = pd.DataFrame({"age": age.round(1), "colour": colour, "outcome": outcome})
    frame.loc[::17, "age"] = np.nan
    frame.loc[::23, "colour"] = None
    path = tmp_path / "people.csv"
    frame.to_csv(path, index=False)
    return path


def pipeline(frame: pd.DataFrame, label: str = "outcome") -> Any:
    """An encoder of its own and boosted trees, fitted on rows as they were read."""
    words = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encoder = make_column_transformer((words, ["colour"]), remainder="passthrough")
    model = make_pipeline(encoder, HistGradientBoostingClassifier(max_iter=20, random_state=0))
    return model.fit(frame.drop(columns=label), frame[label])


def logits(target: str, data: TransferSet, trust: bool = False, **settings: Any) -> torch.Tensor:
    """The answers of a teacher to the validation examples."""
    spec = tiny(teacher=target, **settings)
    (teacher,) = describe(spec, data, (), trust)
    return answers_to(opened(teacher, data), data, data.validation)


def stored(data: TransferSet) -> torch.Tensor:
    """The validation examples as they are stored."""
    return tensor(data.examples)[slice(*data.validation)]


@pytest.fixture
def onnx_file(tmp_path: Path) -> tuple[Path, nn.Module]:
    """A network as ONNX, and itself."""
    pytest.importorskip("onnxruntime")
    network = own.small().eval()
    path = tmp_path / "teacher.onnx"
    program = torch.onnx.export(
        network, (torch.zeros(2, 1, 8, 8),), dynamo=True, verbose=False,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )  # fmt: skip
    assert program is not None
    program.save(path)
    return path, network


def test_an_onnx_file_answers_as_its_network_does(
    onnx_file: tuple[Path, nn.Module], digits: TransferSet
) -> None:
    path, network = onnx_file
    expected = network(normaliser(digits)(stored(digits)))
    torch.testing.assert_close(logits(str(path), digits), expected, rtol=1e-4, atol=1e-4)
    (teacher,) = describe(tiny(teacher=str(path)), digits, ())
    assert opened(teacher, digits).parameters == pytest.approx(
        sum(p.numel() for p in network.parameters()), rel=0.05
    )


def test_an_onnx_file_of_one_batch_size_is_asked_in_batches_of_it(
    tmp_path: Path, digits: TransferSet
) -> None:
    pytest.importorskip("onnxruntime")
    network = own.small().eval()
    program = torch.onnx.export(network, (torch.zeros(7, 1, 8, 8),), dynamo=True, verbose=False)
    assert program is not None
    program.save(tmp_path / "seven.onnx")
    expected = network(normaliser(digits)(stored(digits)))
    found = logits(f"onnx:{tmp_path}/seven.onnx", digits)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_program_of_torch_export_answers_as_its_network_does(
    tmp_path: Path, digits: TransferSet
) -> None:
    network = own.small().eval()
    path = tmp_path / "teacher.pt2"
    first = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(network, (torch.zeros(2, 1, 8, 8),), dynamic_shapes=first)
    torch.export.save(program, path)
    expected = network(normaliser(digits)(stored(digits)))
    torch.testing.assert_close(logits(str(path), digits, trust=True), expected)


def test_a_fitted_estimator_is_given_examples_as_they_are_stored(digits: TransferSet) -> None:
    rows = slice(*digits.labelled)
    pixels, labels = digits.examples.open()[rows], digits.labels.open()[rows]
    model = RandomForestClassifier(20, n_jobs=2, random_state=0)
    model.fit(pixels.reshape(len(pixels), -1), labels)
    (name,) = give([model])
    assert name == "python:RandomForestClassifier"
    expected = model.predict_proba(stored(digits).flatten(1).numpy())
    found = logits(name, digits).exp().double()
    torch.testing.assert_close(found, torch.from_numpy(expected).clamp_min(1e-8), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", ["skops", "joblib"])
def test_a_pipeline_in_a_file_is_given_the_rows_as_they_were_read(
    kind: str, people: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(people)
    model = pipeline(frame)
    path = tmp_path / f"model.{kind}"
    if kind == "skops":
        io.dump(model, path)
    else:
        joblib.dump(model, path)
    with pytest.raises(UnusableTeacher, match="trust"):
        searched(tmp_path / "no", data=f"csv:{people}", label="outcome", teacher=str(path))
    view = searched(
        tmp_path / "study", data=f"csv:{people}", label="outcome", teacher=str(path), trust=True,
        family="mlp", workers=2, batch=32,
    )  # fmt: skip
    (teacher,) = view.teachers
    assert teacher["accuracy"] > 0.75
    assert teacher["parameters"] is None
    data = view.folder.read_data()
    numbers = data.origin.rows.open()[slice(*data.validation), 1]
    expected = model.predict_proba(frame.drop(columns="outcome").iloc[numbers])
    found = answers_to(
        opened(describe(view.spec, data, (), True)[0], data), data, data.validation
    )  # fmt: skip
    torch.testing.assert_close(
        found.exp().double(), torch.from_numpy(expected).clamp_min(1e-8), atol=1e-6, rtol=0
    )


def test_an_estimator_whose_classes_are_others_is_named(digits: TransferSet) -> None:
    pixels = stored(digits).flatten(1).numpy()
    labels = digits.labels.open()[slice(*digits.validation)]
    model = GaussianNB().fit(pixels[labels < 7], labels[labels < 7])
    (name,) = give([model])
    with pytest.raises(UnusableTeacher, match="knows the 7 classes 0, 1, 2, 3, 4, 5, 6, and"):
        logits(name, digits)


def test_an_estimators_classes_are_put_in_the_datas_order(people: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(people)
    model = pipeline(frame)
    data = prepare("csv", *table_of(people))
    model[-1].classes_ = np.array(["yes", "no"])
    (name,) = give([model])
    turned = logits(name, data)
    model[-1].classes_ = np.array(["no", "yes"])
    (name,) = give([model])
    torch.testing.assert_close(logits(name, data), turned.flip(-1))


def table_of(path: Path) -> Any:
    """A table's source, and what it is asked for."""
    return source_of(f"csv:{path}"), Request(Path(), label="outcome")


def write_answers(
    kind: str, path: Path, logits_NC: np.ndarray[Any, Any], classes: tuple[str, ...]
) -> None:
    """A table of answers, a row for each row of the data."""
    if kind == "npz":
        np.savez(path, logits=logits_NC)
        return
    frame = pd.DataFrame(logits_NC, columns=list(classes))
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet"])
def test_a_table_of_answers_gives_bit_for_bit_the_study_of_its_model(
    kind: str, tmp_path: Path, digits: TransferSet
) -> None:
    settings: dict[str, Any] = {"trials": 6, "batch": 64, "seed": 1}
    model = searched(tmp_path / "model", teacher="tests.teachers.own:fitted", **settings)
    (teacher,) = describe(model.spec, digits, ())
    every_NC = answers_to(opened(teacher, digits), digits, (0, len(digits.labels.open()))).numpy()
    row_N = digits.origin.rows.open()[:, 1]
    in_source_NC = np.empty_like(every_NC)
    in_source_NC[row_N] = every_NC
    path = tmp_path / f"answers.{kind}"
    write_answers(kind, path, in_source_NC, digits.classes)
    table = searched(tmp_path / "table", teacher=str(path), **settings)
    assert results(table) == results(model)
    for number in range(6):
        pair = [v.folder.student(number) / "weights.safetensors" for v in (model, table)]
        assert pair[0].read_bytes() == pair[1].read_bytes()
    assert table.teachers[0]["accuracy"] == model.teachers[0]["accuracy"]


def test_rows_of_the_train_split_are_enough_and_the_accuracy_is_then_not_known(
    tmp_path: Path, digits: TransferSet
) -> None:
    first, last = digits.train
    row_N = digits.origin.rows.open()[first:last, 1]
    labels_N = digits.labels.open()[first:last]
    answers = np.eye(10, dtype=np.float32)[labels_N] * 8
    np.savez(tmp_path / "train.npz", logits=answers, row=row_N)
    view = searched(tmp_path / "study", teacher=f"{tmp_path}/train.npz", trials=4)
    assert view.teachers[0]["accuracy"] is None
    assert view.teacher_score is None
    log = (view.folder.root / "search.log").read_text()
    assert "accuracy on validation not known, parameters not known" in log
    with pytest.raises(UnusableTeacher, match="has no answers to the validation examples"):
        searched(tmp_path / "other", teacher=f"{tmp_path}/train.npz", metric="agreement")


def some(digits: TransferSet) -> dict[str, Any]:
    """Answers to every row of the source, as probabilities."""
    labels_N = np.empty(len(digits.labels.open()), np.int64)
    labels_N[digits.origin.rows.open()[:, 1]] = digits.labels.open()
    shares = np.full((len(labels_N), 10), 0.02)
    shares[np.arange(len(labels_N)), labels_N] = 0.82
    return {"probabilities": shares}


def spoilt(digits: TransferSet, how: str) -> dict[str, Any]:
    """A table with one mistake."""
    arrays = some(digits)
    shares = arrays["probabilities"]
    if how == "a row is missing":
        return {"probabilities": shares[1:], "row": np.arange(1, len(shares))}
    if how == "a row too many":
        return {"probabilities": np.concatenate([shares, shares[:1]])}
    if how == "a row too few":
        return {"probabilities": shares[:-1]}
    if how == "a row twice":
        return {"probabilities": shares, "row": np.r_[0, np.arange(len(shares) - 1)]}
    if how == "not of sum 1":
        return {"probabilities": shares * 0.9}
    if how == "logits":
        return {"probabilities": np.log(shares)}
    if how == "other classes":
        return {"probabilities": shares, "classes": [f"digit {n}" for n in range(10)]}
    if how == "nine classes":
        return {"probabilities": shares[:, :9]}
    if how == "not finite":
        return {"logits": shares * np.where(np.arange(10) == 3, np.nan, 1)}
    if how == "of no form":
        return {"answers": shares}
    if how == "of others":
        return {"probabilities": shares, "row": np.arange(len(shares)) + 10_000}
    return {"probabilities": shares, "id": np.arange(len(shares)).astype(str)}


@pytest.mark.parametrize(
    ("how", "wrong"),
    [
        ("a row is missing", "has no answer to 1 of the 1,077 examples that students learn from"),
        ("a row too many", "has 1,798 answers without a column `row` or `id`, and the data have "
                           "1,797 examples in train"),
        ("a row too few", "has 1,796 answers without"),
        ("a row twice", "has two answers to the same example: row 0 of train"),
        ("not of sum 1", "has probabilities that do not add up to 1: those of row"),
        ("logits", "is said to have probabilities, and row 0 has -3.9"),
        ("other classes", "has columns for digit 0, digit 1"),
        ("nine classes", "has 9 columns, and the data have 10 classes"),
        ("not finite", "has answers that are NaN or infinite"),
        ("of no form", "has the arrays answers"),
        ("of others", "has answers to none of the examples: row 10,000 of train"),
        ("by id", "has a column 'id', and the data do not name their examples"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_table_of_answers_has_a_message_of_its_own(
    how: str, wrong: str, digits: TransferSet, tmp_path: Path
) -> None:
    # the first train row is the one that is missing
    if how == "a row is missing":
        first = int(digits.origin.rows.open()[digits.train[0], 1])
        shares = some(digits)["probabilities"]
        kept = np.arange(len(shares)) != first
        arrays = {"probabilities": shares[kept], "row": np.flatnonzero(kept)}
    else:
        arrays = spoilt(digits, how)
    np.savez(tmp_path / "answers.npz", **arrays)
    with pytest.raises(UnusableTeacher) as caught:
        logits(f"{tmp_path}/answers.npz", digits)
    assert wrong in str(caught.value)


def test_classes_in_another_order_are_put_in_the_datas_and_rounded_sums_are_mended(
    digits: TransferSet, tmp_path: Path
) -> None:
    shares = some(digits)["probabilities"]
    turned = [str(number) for number in reversed(range(10))]
    np.savez(tmp_path / "plain.npz", probabilities=shares)
    np.savez(tmp_path / "turned.npz", probabilities=shares[:, ::-1], classes=turned)
    np.savez(tmp_path / "rounded.npz", probabilities=shares * 1.01)
    plain, other, rounded = (
        logits(f"{tmp_path}/{name}.npz", digits) for name in ("plain", "turned", "rounded")
    )
    assert torch.equal(plain, other)
    torch.testing.assert_close(plain, rounded)


def test_a_table_is_matched_by_a_column_of_the_datas_own(people: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(people)
    frame.insert(0, "person", [f"p{number}" for number in range(len(frame))])
    frame.to_csv(people, index=False)
    answers = pd.DataFrame({"person": frame["person"], "yes": 0.0, "no": 1.0})
    answers.loc[frame["outcome"] == "yes", ["yes", "no"]] = (1.0, 0.0)
    answers.sample(frac=1, random_state=0).to_csv(tmp_path / "answers.csv", index=False)
    data = prepare("csv", *table_of(people))
    found = logits(f"{tmp_path}/answers.csv", data)
    labels = tensor(data.labels)[slice(*data.validation)]
    assert torch.equal(found.argmax(-1), labels)


def test_every_kind_says_what_it_does_and_a_table_shows_no_views(
    tmp_path: Path, digits: TransferSet
) -> None:
    np.savez(tmp_path / "answers.npz", **some(digits))
    with pytest.raises(UnusableTeacher, match="the study shows 9 views of it"):
        searched(tmp_path / "study", teacher=f"{tmp_path}/answers.npz", views=9)
    assert all(callable(kind.open) for kind in TEACHERS.values())


def test_an_ensemble_answers_with_the_mean_of_its_members_probabilities(
    digits: TransferSet,
) -> None:
    names = [f"tests.teachers.own:{name}" for name in ("small", "guessing", "eight_wide")]
    torch.manual_seed(3)
    members = []
    for name in names:
        torch.manual_seed(3)
        members.append(logits(name, digits).softmax(-1))
    spec = tiny(teacher="+".join(names))
    (teacher,) = describe(spec, digits, ())
    parts = []
    for part in teacher.parts:
        torch.manual_seed(3)
        parts.append(opened(part, digits))
    from nas_kd.teachers.ensemble import ensemble

    found = answers_to(ensemble(parts), digits, digits.validation)
    torch.testing.assert_close(found, torch.stack(members).mean(0).log(), atol=1e-5, rtol=1e-5)


def test_an_ensemble_of_trained_teachers_has_members_that_differ(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", teacher="train:4+train:4+train:8", trials=4)
    (teacher,) = view.teachers
    place = view.folder.teacher
    weights = [(place / name / "weights.safetensors").read_bytes() for name in "123"]
    assert len(set(weights)) == 3
    sizes = [tuple(part["width"] for part in teacher["parts"])]
    assert sizes == [(4, 4, 8)]
    assert teacher["parameters"] > 0
    again = searched(tmp_path / "study", teacher="train:4+train:4+train:8", trials=8)
    assert len(again.rows) == 8


def test_several_teachers_are_searched_each_with_its_own_signals(tmp_path: Path) -> None:
    names = ["train:4", "train:8"]
    view = searched(tmp_path / "study", teacher=names, trials=16, generation=8, workers=2)
    asked = {row.settings["teacher"] for row in view.rows if row.taught}
    assert asked == {*names}
    assert {row.settings["teacher"] for row in view.rows if not row.taught} == {"train:4"}
    assert len([*view.folder.root.glob("signals/*/meta.json")]) == 2
    alone = searched(tmp_path / "alone", teacher=names, trials=16, generation=8)
    assert results(alone) == results(view)


def test_a_member_that_changes_its_input_does_not_change_what_the_next_one_sees(
    tmp_path: Path,
) -> None:
    random = np.random.default_rng(0)
    X = random.normal(3, 2, size=(600, 5)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", X=X, y=(X[:, 0] > 3).astype(int))
    data = prepare("rows", source_of(f"npz:{tmp_path}/rows.npz"), Request(Path()))
    rows = slice(*data.labelled)
    x, y = np.array(data.examples.open()[rows]), data.labels.open()[rows]
    scaler = make_pipeline(StandardScaler(copy=False), GaussianNB()).fit(x.copy(), y)
    names = give([scaler, GaussianNB().fit(x, y)])
    one, other = (logits("+".join(order), data) for order in (names, names[::-1]))
    torch.testing.assert_close(one, other)


class Odd:
    """Has predict_proba, and gives what it is told to."""

    def __init__(self, gives: Any, classes: Any = None) -> None:
        self.gives, self.lock = gives, threading.Lock()
        if classes is not None:
            self.classes_ = classes

    def predict_proba(self, rows: Any) -> Any:
        return self.gives(rows)


@pytest.mark.parametrize(
    ("gives", "classes", "wrong"),
    [
        (lambda rows: np.full((len(rows), 10), 5.0), None, "gives what are no probabilities: 5, 5"),
        (lambda rows: np.full((len(rows), 10), 0.2), None, "gives what are no probabilities"),
        (lambda rows: np.full((len(rows), 12), 1 / 12), None, "of shape (128, 12) for 128"),
        (lambda rows: [0.1] * 10, None, "of shape (10,) for 128 examples"),
        (lambda rows: 1 / 0, None, "ZeroDivisionError"),
        (lambda rows: rows, [[0, 1], [0, 1, 2]], "has several outputs"),
    ],
)
def test_what_gives_no_probabilities_is_refused(
    gives: Any, classes: Any, wrong: str, digits: TransferSet
) -> None:
    with pytest.raises(UnusableTeacher) as caught:
        logits(give([Odd(gives, classes)])[0], digits)
    assert wrong in str(caught.value)


def test_an_estimator_that_cannot_be_copied_or_invents_names_is_asked_all_the_same(
    digits: TransferSet,
) -> None:
    odd = Odd(lambda rows: np.full((len(rows), 10), 0.1))
    odd.feature_names_in_ = [f"Column_{number}" for number in range(64)]  # type: ignore[attr-defined]
    found = logits(give([odd])[0], digits)
    torch.testing.assert_close(found, torch.full_like(found, 0.1).log())


def test_a_network_with_predict_proba_is_a_network(digits: TransferSet) -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = own.linear()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.body(images)
            return found

        def predict_proba(self, images: torch.Tensor) -> torch.Tensor:
            return self(images).softmax(-1)

    (name,) = give([Both()])
    (teacher,) = describe(tiny(teacher=name), digits, ())
    assert opened(teacher, digits).parameters == 650


def test_answers_that_are_not_finite_are_named_before_any_student_trains(
    tmp_path: Path, digits: TransferSet
) -> None:
    def broken(rows: Any) -> Any:
        shares = np.full((len(rows), 10), 0.1)
        shares[rows[:, 20] > 15.5] = np.nan
        return shares

    with pytest.raises(UnusableTeacher, match=r"probabilities|NaN"):
        searched(tmp_path / "study", teacher=give([Odd(broken)])[0])
    late = own.fitted()
    place = int(digits.train[1]) - 3
    picture = tensor(digits.examples)[place : place + 1]
    shown = normaliser(digits)(picture)

    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = late

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.body(images)
            same = (images - shown).flatten(1).abs().amax(1) < 1e-6
            return torch.where(same[:, None], torch.nan, found)

    with pytest.raises(UnusableTeacher, match="answers NaN or infinity to 1 examples, such as row"):
        searched(tmp_path / "late", teacher=give([Late()])[0])


def test_a_column_row_counts_though_answers_share_another_column_with_the_data(
    people: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(people)
    shares = pd.DataFrame({"row": range(len(frame)), "age": frame["age"], "no": 0.5, "yes": 0.5})
    shares.to_csv(tmp_path / "answers.csv", index=False)
    data = prepare("csv", *table_of(people))
    assert logits(f"{tmp_path}/answers.csv", data).shape == (size(data.validation), 2)


def test_an_empty_table_of_answers_and_a_plus_in_a_path_are_refused(
    digits: TransferSet, tmp_path: Path
) -> None:
    np.savez(tmp_path / "empty.npz", logits=np.zeros((0, 10)))
    with pytest.raises(UnusableTeacher, match="has no rows"):
        logits(f"{tmp_path}/empty.npz", digits)
    (tmp_path / "c++").mkdir()
    np.savez(tmp_path / "c++" / "a.npz", logits=np.zeros((3, 10)))
    with pytest.raises(InvalidSpec, match="has a \\+ in its path"):
        tiny(teacher=f"{tmp_path}/c++/a.npz")


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"teacher_size": 16}, "is for networks, and none is named"),
        ({"teacher_output": "logits"}, "is for networks, and none is named"),
        ({"teacher_size": 16, "teacher": "train"}, "is for a teacher of yours, and none is named"),
    ],
)
def test_what_is_said_of_networks_is_not_ignored_for_others(
    settings: dict[str, Any], wrong: str, digits: TransferSet, tmp_path: Path
) -> None:
    np.savez(tmp_path / "answers.npz", **some(digits))
    with pytest.raises(UnusableTeacher, match=wrong):
        describe(tiny(**{"teacher": f"{tmp_path}/answers.npz", **settings}), digits, ())


@pytest.mark.parametrize("default", [True, False])
def test_a_table_is_given_to_an_estimator_as_it_was_read_for_it(
    default: bool, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    colour = random.choice(["None", "blue", "red"], 900)
    frame = pd.DataFrame({"age": random.normal(40, 12, 900).round(1), "colour": colour,
                          "outcome": np.where(colour == "None", "yes", "no")})  # fmt: skip
    path = tmp_path / "people.csv"
    frame.to_csv(path, index=False)
    read = pd.read_csv(path) if default else pd.read_csv(
        path, keep_default_na=False, na_values=[""]
    )  # fmt: skip
    words = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-2)
    encoder = make_column_transformer((words, ["colour"]), remainder="passthrough")
    model = make_pipeline(encoder, HistGradientBoostingClassifier(max_iter=10))
    (name,) = give([model.fit(read.drop(columns="outcome"), read["outcome"])])
    data = prepare("csv", *table_of(path))
    (teacher,) = describe(tiny(teacher=name), data, ())
    answerer = opened(teacher, data)
    found = answers_to(answerer, data, data.validation).argmax(-1)
    assert torch.equal(found, tensor(data.labels)[slice(*data.validation)])
    assert any("as pandas reads them" in note for note in answerer.notes) == default


def test_percentages_are_not_taken_for_logits(digits: TransferSet, tmp_path: Path) -> None:
    shares = some(digits)["probabilities"] * 100
    pd.DataFrame(shares, columns=list(digits.classes)).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(UnusableTeacher, match="each add up to 100, as percentages do"):
        logits(f"{tmp_path}/p.csv", digits)
    assert logits(f"{tmp_path}/p.csv", digits, teacher_gives="logits").max() > 80


def test_a_network_of_timm_answers_with_its_weights_in_colour(
    digits: TransferSet, tmp_path: Path
) -> None:
    timm = pytest.importorskip("timm")
    network = timm.create_model("test_resnet", num_classes=10).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    spec = tiny(teacher="timm:test_resnet", teacher_size=32)
    with pytest.raises(UnusableTeacher, match="has no weights"):
        opened(describe(spec, digits, ())[0], digits)
    (teacher,) = describe(spec, digits, (tmp_path / "weights.pt",))
    images = normaliser(digits)(stored(digits)[:16]).expand(-1, 3, -1, -1)
    shown = nn.functional.interpolate(images, (32, 32), mode="bilinear", antialias=True)
    found = answers_to(opened(teacher, digits), digits, digits.validation)[:16]
    torch.testing.assert_close(found, network(shown), rtol=1e-4, atol=1e-4)
    with pytest.raises(UnusableTeacher, match="You may have meant: test_res"):
        opened(describe(tiny(teacher="timm:test_resnets"), digits, ())[0], digits)
