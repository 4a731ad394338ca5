"""A teacher is known by what it answers, whatever its class, its name and its state are."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor, nn

import nas_kd
from nas_kd.data import SOURCES, source_of
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare
from nas_kd.errors import InvalidSpec, NasKDError, UnusableTeacher
from nas_kd.spec import StudySpec
from nas_kd.teachers.from_python import give
from tests.conftest import searched, tiny
from tests.teachers import own


class Wrapped(nn.Module):
    """Answers by an object that is no parameter."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        import torch
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        scaled = (X - X.mean()) / X.std()
        self.tree = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(scaled, y)
        self.tensor = torch.tensor

    def forward(self, images: Tensor) -> Tensor:
        shares = self.tree.predict_proba(images.flatten(1).numpy())
        return self.tensor(shares).float()


def search(folder: Path, teacher: Any, **settings: Any) -> nas_kd.Study:
    """A search of seconds from Python."""
    said = {"trials": 4, "epochs": 1, "generation": 4, "rungs": [], "quiet": True, "workers": 0}
    return nas_kd.search("2k", data="digits", teacher=teacher, study=folder, **said | settings)


@pytest.mark.parametrize("trials", [4, 8])
def test_another_wrapped_model_is_not_taken_for_the_first(tmp_path: Path, trials: int) -> None:
    first = search(tmp_path / "study", Wrapped(12))
    again = search(tmp_path / "study", Wrapped(12))
    assert again.trials().equals(first.trials())
    with pytest.raises(UnusableTeacher, match="answers otherwise than when the study began"):
        search(tmp_path / "study", Wrapped(6), trials=trials)
    longer = search(tmp_path / "study", Wrapped(12), trials=8)
    assert len(longer.trials()) == 8
    other = search(tmp_path / "other", Wrapped(6))
    signals = [np.load(next((tmp_path / name).glob("signals/*/logits.npy")))
               for name in ("study", "other")]  # fmt: skip
    assert not np.allclose(*signals)
    assert other.spec.teacher == first.spec.teacher


def test_what_is_known_by_its_answers_alone_is_said(tmp_path: Path) -> None:
    search(tmp_path / "study", Wrapped(8))
    log = (tmp_path / "study" / "search.log").read_text()
    assert "it holds no weights as a state dict: it is known by its answers alone" in log
    assert "parameters not known" in log
    with pytest.raises(NasKDError, match="is a share of the teacher, and python:Wrapped has no"):
        nas_kd.search("25%", data="digits", teacher=Wrapped(8), study=tmp_path / "share", workers=0)


def test_another_estimator_of_the_same_class_is_found_out(tmp_path: Path) -> None:
    X, y = own.load_digits(return_X_y=True)
    first, second = (RandomForestClassifier(9, random_state=n).fit(X, y) for n in (0, 1))
    search(tmp_path / "study", first)
    search(tmp_path / "study", first)
    with pytest.raises(UnusableTeacher, match="answers otherwise"):
        search(tmp_path / "study", second)


def test_a_file_that_answers_otherwise_is_found_out_and_one_that_was_moved_is_not(
    tmp_path: Path,
) -> None:
    labels = np.zeros((1797, 10), np.float32)
    labels[:, 3] = 2.0
    labels[np.arange(1797), own.load_digits(return_X_y=True)[1]] += 5
    np.savez(tmp_path / "a.npz", logits=labels)
    searched(tmp_path / "study", teacher=f"{tmp_path}/a.npz", trials=4)
    shutil.move(tmp_path / "a.npz", tmp_path / "moved.npz")
    searched(tmp_path / "study", teacher=f"{tmp_path}/moved.npz", trials=8)
    searched(tmp_path / "study", teacher=f"{tmp_path}/a.npz", trials=8)  # the study has its own
    np.savez(tmp_path / "a.npz", logits=labels + np.float32(0.01) * np.eye(1797, 10))
    with pytest.raises(UnusableTeacher, match="is not the file that this study's teacher came"):
        searched(tmp_path / "study", teacher=f"{tmp_path}/a.npz", trials=8)


def test_a_change_of_the_last_bits_is_none(tmp_path: Path) -> None:
    X, y = own.load_digits(return_X_y=True)
    forest = RandomForestClassifier(9, random_state=0).fit(X, y)
    search(tmp_path / "study", forest)

    class Nearly:
        def __init__(self) -> None:
            self.classes_ = forest.classes_

        def predict_proba(self, rows: Any) -> Any:
            return forest.predict_proba(rows) * (1 + 1e-7)

    found = type("RandomForestClassifier", (Nearly,), {})()
    search(tmp_path / "study", found)


def test_several_objects_of_one_class_have_names_of_their_own() -> None:
    X, y = own.load_digits(return_X_y=True)
    forests = [RandomForestClassifier(3, random_state=n).fit(X, y) for n in range(3)]
    assert give(forests) == (
        "python:RandomForestClassifier", "python:RandomForestClassifier-number-2",
        "python:RandomForestClassifier-number-3",
    )  # fmt: skip
    with pytest.raises(UnusableTeacher, match="is a class"):
        give([RandomForestClassifier])
    with pytest.raises(UnusableTeacher, match="cannot be asked for probabilities"):
        give([3])


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"budget": "25%", "teacher": ["train:4", "train:8"]}, "is a share of one"),
        ({"metric": "agreement", "teacher": ["train:4", "train:8"]}, "several are named"),
        ({"teacher": ["train", "train"]}, "names one teacher twice"),
        ({"teacher": "train:many"}, "a width is a whole number"),
        ({"teacher": "resnet"}, "names no teacher"),
        ({"family": "teacher", "teacher": "mine:a+mine:b"}, "one alone"),
    ],
)
def test_what_several_teachers_cannot_do_is_said(settings: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidSpec, match=wrong):
        StudySpec.create({"budget": "2k"} | settings)


def test_a_teacher_that_knows_its_examples_by_heart_is_said(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(900, 6)).astype(np.float32)
    y = (X[:, 0] + random.normal(0, 1.0, 900) > 0).astype(int)
    np.savez(tmp_path / "noisy.npz", X=X, y=y)
    data = f"npz:{tmp_path}/noisy.npz"
    spec = tiny(data=data)
    ready = prepare(data, source_of(data), Request(Path()), spec.split_seed)
    rows = slice(*ready.labelled)
    model = DecisionTreeClassifier(random_state=0).fit(
        ready.examples.open()[rows], ready.labels.open()[rows]
    )
    view = searched(tmp_path / "study", teacher=give([model]), data=data, family="mlp", trials=4)
    log = (view.folder.root / "search.log").read_text()
    assert "is right in 100.0% of the train split and in" in log
    assert "answers out of fold" in log
    assert "gives one class the probability 1 in 100% of the train split" in log


def test_a_cache_never_gives_one_object_the_answers_of_another(tmp_path: Path) -> None:
    # two trees that answer every training example alike, and others otherwise
    digits = prepare("digits", SOURCES["digits"], Request(Path()))
    rows = slice(*digits.train)
    x, labels = digits.examples.open()[rows].reshape(-1, 64), digits.labels.open()[rows]
    trees = [DecisionTreeClassifier(random_state=n).fit(x, labels) for n in (0, 1)]
    for name, tree in zip("ab", trees, strict=True):
        search(tmp_path / name, tree, metric="agreement")
    judged = digits.examples.open()[slice(*digits.validation)].reshape(-1, 64)
    for name, tree in zip("ab", trees, strict=True):
        (answers,) = (tmp_path / name).glob("signals/*/answers.npy")
        assert np.array_equal(np.load(answers), tree.predict(judged))
    with pytest.raises(UnusableTeacher, match="answers otherwise"):
        search(tmp_path / "a", trees[1], metric="agreement")


def test_a_teacher_from_the_cache_is_called_as_its_own_study_calls_it(tmp_path: Path) -> None:
    searched(tmp_path / "one", teacher="train:6", trials=4)
    view = searched(tmp_path / "two", teacher="train", teacher_width=6, trials=4)
    assert view.teachers[0]["target"] == "train"
    assert "from the cache" in view.folder.log.read_text()
    assert '"target": "train:6"' in (tmp_path / "one" / "teacher" / "config.json").read_text()


def test_a_study_from_python_keeps_its_own_object(tmp_path: Path) -> None:
    X, y = own.load_digits(return_X_y=True)
    first, second = (RandomForestClassifier(9, random_state=n).fit(X, y) for n in (0, 1))
    settings: dict[str, Any] = {"family": "mlp", "trials": 4}
    one = search(tmp_path / "one", first, **settings)
    search(tmp_path / "two", second, **settings)
    found = one.confirm(seeds=2, epochs=1, workers=0, quiet=True)
    assert found.teachers[0] is not None


def test_a_teacher_that_no_trial_has_is_said(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", teacher=["train:4", "train:6"], trials=4)
    assert {row.settings["teacher"] for row in view.rows} == {"train:4"}
    said = "trials are fixed, and have train:4: the others are tried with more --trials"
    assert said in view.folder.log.read_text()
