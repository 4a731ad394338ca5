"""Studies whose students learn from a teacher's layers."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from nas_kd.check import Fact, check
from nas_kd.data.transfer import TransferSet, size
from nas_kd.errors import InvalidSpec, NasKDError, Unusable, UnusableTeacher
from nas_kd.knowledge import KNOWLEDGE, Knowledge
from nas_kd.spec import StudySpec
from nas_kd.study.view import StudyView
from nas_kd.teachers.from_python import give
from tests.conftest import searched, tiny

LAYERS = {
    "family": "cnn",
    "knowledge": ["kl + 0.5 rkd", "fitnet", "attention"],
    "alpha": [0.1, 1.0],
    "batch": 32,
}


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> StudyView:
    """A study of three mixtures, with two workers; read only."""
    return searched(tmp_path_factory.mktemp("layers") / "study", workers=2, trials=12, **LAYERS)


def test_only_what_the_searched_terms_keep_is_stored(layers: StudyView) -> None:
    (place,) = layers.folder.root.glob("signals/*")
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in place.glob("*-*.npy")}
    assert {*arrays} == {"rkd-0", "fitnet-0", "attention-0", "attention-1"}
    assert arrays["attention-0"].shape[2] == 1, "an attention map has one channel"
    log = (layers.folder.root / "search.log").read_text()
    assert "signals   for fitnet: " in log


def test_every_mixture_is_tried_and_alpha_leaves_the_head_something(layers: StudyView) -> None:
    taught = [row for row in layers.rows if row.taught]
    assert {row.settings["knowledge"] for row in taught} == {"kl + 0.5 rkd", "fitnet", "attention"}
    for row in taught:
        if row.settings["knowledge"] != "kl + 0.5 rkd":
            assert float(row.settings["alpha"]) <= 0.95
            assert row.settings["temperature"] == 1.0
    assert all(row.fault is None for row in layers.rows)


def test_two_workers_give_what_one_process_gives(layers: StudyView, tmp_path: Path) -> None:
    again = searched(tmp_path / "study", trials=12, **LAYERS)
    assert [row.accuracy for row in again.rows] == [row.accuracy for row in layers.rows]


def test_the_terms_of_another_study_are_other_signals(tmp_path: Path) -> None:
    one = searched(tmp_path / "one", trials=2, generation=2, family="cnn", knowledge="rkd")
    other = searched(tmp_path / "two", trials=2, generation=2, family="cnn", knowledge="kl")
    keys = [next(view.folder.root.glob("signals/*")).name for view in (one, other)]
    assert keys[0] != keys[1]


def test_changed_layers_are_noticed_on_resume(tmp_path: Path) -> None:
    settings = {"family": "cnn", "knowledge": "fitnet", "generation": 2}
    view = searched(tmp_path / "study", trials=2, **settings)
    (array,) = view.folder.root.glob("signals/*/fitnet-0.npy")
    changed = np.load(array)
    changed[0, 0] += 1
    np.save(array, changed)
    with pytest.raises(UnusableTeacher, match="changed after they were written"):
        searched(tmp_path / "study", trials=4, **settings)


def test_what_a_term_keeps_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"family": "cnn", "knowledge": "fitnet", "generation": 2}
    view = searched(tmp_path / "study", trials=2, **settings)
    (place,) = view.folder.root.glob("signals/*")
    before = np.load(place / "fitnet-0.npy")
    changed = replace(KNOWLEDGE["fitnet"], keep=lambda features: (2 * features[0],))
    monkeypatch.setitem(KNOWLEDGE, "fitnet", changed)
    with pytest.raises(UnusableTeacher, match="not what knowledge fitnet keeps"):
        searched(tmp_path / "study", trials=4, **settings)
    other = searched(tmp_path / "other", trials=2, **settings)
    (place,) = other.folder.root.glob("signals/*")
    assert np.allclose(np.load(place / "fitnet-0.npy"), 2 * before), "not taken from the cache"


def test_missing_layers_are_computed_again_when_their_folder_is_removed(tmp_path: Path) -> None:
    settings = {"family": "cnn", "knowledge": "fitnet", "generation": 2}
    view = searched(tmp_path / "study", trials=2, **settings)
    (array,) = view.folder.root.glob("signals/*/fitnet-0.npy")
    array.unlink()
    with pytest.raises(
        UnusableTeacher, match=r"fitnet-0.npy is missing.*Delete the study's folder"
    ):
        searched(tmp_path / "study", trials=4, **settings)
    shutil.rmtree(array.parents[1])
    assert len(searched(tmp_path / "study", trials=4, **settings).rows) == 4


def failing(*answers: object) -> Tensor:
    raise ZeroDivisionError("of mine")


@pytest.mark.parametrize(
    ("term", "problem"),
    [
        (Knowledge(failing, tempered=False), r"'odd': fails on .*ZeroDivisionError: of mine"),
        (Knowledge(lambda s, t: 1.0, tempered=False), "'odd': gives float"),
        (Knowledge(lambda s, t: (s - t).square().mean(-1).detach(), tempered=False), "flows back"),
        (Knowledge(lambda s, t: (s[0] - t[0]).mean(1), tempered=False, layers="last"),
         r"'odd': fails on \(16, .*\) and \(16, "),
        (Knowledge(lambda s, t: s[0].mean((1, 2, 3)), tempered=False, layers="last",
                   keep=lambda features: (features[0].mean(),)), "'odd': cannot keep features"),
        (Knowledge(lambda s, t: s[0].mean((1, 2, 3)), tempered=False, layers="last",
                   adapter=lambda mine, theirs: None), "makes NoneType, not an nn.Module"),
    ],
)  # fmt: skip
def test_a_term_from_outside_that_fails_is_named(
    term: Knowledge, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KNOWLEDGE, "odd", term)
    with pytest.raises(Unusable, match=problem):
        searched(tmp_path / "study", family="cnn", knowledge="odd", trials=2, batch=16)


def test_a_term_says_which_layers_it_compares() -> None:
    with pytest.raises(ValueError, match="and not 'first'"):
        Knowledge(failing, layers="first")  # type: ignore[arg-type]


def test_a_family_that_cannot_be_built_is_named_also_with_layers(tmp_path: Path) -> None:
    with pytest.raises(NasKDError, match=r"tests.driver.test_layers:listed"):
        searched(tmp_path / "study", knowledge="fitnet", family="tests.driver.test_layers:listed",
                 trust=True)  # fmt: skip


def listed() -> nn.Module:
    """A network that answers a list."""

    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Conv2d(1, 4, 3)

        def forward(self, images: Tensor) -> list[Tensor]:
            return [self.body(images)]

    return Listed()


def test_layers_can_be_named(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", trials=2, generation=2, family="cnn", knowledge="fitnet",
                    teacher_layer="5")  # fmt: skip
    assert "of the layers 5" in (view.folder.root / "search.log").read_text()
    with pytest.raises(UnusableTeacher, match=r"--teacher-layer 77: is no layer.*shrink after"):
        searched(tmp_path / "other", trials=2, family="cnn", knowledge="fitnet",
                 teacher_layer="77")  # fmt: skip


def test_a_term_and_a_family_that_do_not_go_together_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(Unusable) as raised:
        searched(tmp_path / "study", family=["cnn", "mlp"], knowledge=["attention", "fsp"])
    for wrong in ("attention compares layers with maps, and the family mlp has none",
                  "fsp compares maps of two sizes, and the family cnn has none",
                  "fsp compares maps of two sizes, and the family mlp has none"):  # fmt: skip
        assert wrong in str(raised.value)


def test_a_teacher_without_layers_is_named_with_the_term(tmp_path: Path) -> None:
    table = tmp_path / "answers.npz"
    np.savez(table, probabilities=np.eye(10)[load_digits().target])
    with pytest.raises(UnusableTeacher, match=r"npz.*shows no layers, which knowledge rkd"):
        searched(tmp_path / "study", knowledge="rkd", teacher=str(table))
    assert not (tmp_path / "study" / "spec.toml").exists()


@pytest.mark.parametrize("teacher", ["train:4+train:6"])
def test_an_ensemble_shows_no_layers(teacher: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableTeacher, match=r"shows no layers, which knowledge fitnet"):
        searched(tmp_path / "study", knowledge="fitnet", teacher=teacher)
    with pytest.raises(UnusableTeacher, match="shows no layers"):
        list(check(tiny(knowledge="fitnet", teacher=teacher), tmp_path, (), 1))


def test_a_network_without_maps_is_named_with_the_term(tmp_path: Path) -> None:
    X, y = load_digits(return_X_y=True)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False))
    solved = np.linalg.lstsq((X - X.mean()) / X.std(), np.eye(10)[y], rcond=None)[0]
    with torch.no_grad():
        network[1].weight.copy_(torch.from_numpy(solved.T))
    (name,) = give([network])
    with pytest.raises(UnusableTeacher, match=r"has no layers with maps, which knowledge att"):
        searched(tmp_path / "study", family="cnn", knowledge="attention", teacher=name)
    assert not (tmp_path / "study" / "spec.toml").exists()


def test_check_says_what_disk_the_layers_take(digits: TransferSet, tmp_path: Path) -> None:
    spec = tiny(family="cnn", knowledge="fitnet", views=3)
    found = [one for one in check(spec, tmp_path, (), 1) if isinstance(one, Fact)]
    (said,) = [fact.text for fact in found if fact.about == "knowledge"]
    # fitnet keeps the second of two stages, 32 channels of 4 x 4, of each view and example
    megabytes = 4 * 32 * 16 * 3 * size(digits.train) / 1e6
    assert said == f"the layers that fitnet compares take {megabytes:,.0f} MB"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"knowledge": "fitnet", "alpha": 1.0}, "alpha.*0.95 or less.*fitnet sees no answers"),
        ({"knowledge": ["kl", "0 kl"]}, "knowledge.*no mixture"),
        ({"knowledge": ["kl", " kl "]}, "names one mixture twice"),
        ({"knowledge": "fitnet", "scheme": "online"}, "scheme.*must be offline.*fixed teacher"),
        ({"teacher_classes": 10, "teacher": "a:b", "knowledge": "fitnet"},
         "no labels.*'kl \\+ fitnet'"),
        ({"scheme": "online", "alpha": 1.0}, "alpha.*0.95 or less for online"),
        ({"scheme": "self", "co_teacher": "resnet"}, "co_teacher.*for the scheme online"),
        ({"scheme": "co_teacher"}, "co_teacher.*must be named"),
        ({"scheme": "online", "co_teacher": "resnat"}, "resnet"),
        ({"scheme": "self", "epochs": 10, "rungs": [3]}, "rungs.*after epoch 5"),
        ({"scheme": "self", "epochs": 1}, "epochs.*must be 2 or more"),
        ({"peers": 3}, "peers.*of the scheme online"),
        ({"teacher_layer": "8"}, "knowledge.*kl compares no layers"),
        ({"scheme": "exits", "family": "teacher"}, "made narrower"),
        ({"scheme": "exits", "metric": "agreement"}, "none is named"),
        ({"scheme": "offline", "teacher": []}, "offline needs a teacher"),
        ({"scheme": "exits", "teacher_classes": 10, "teacher": "a:b"}, "must be offline without"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidSpec, match=f"(?s){problem}"):
        StudySpec.create({"budget": "20k"} | settings)
