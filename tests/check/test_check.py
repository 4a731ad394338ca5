"""Each fault is found in what has it, and nothing is found where nothing is wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from nas_kd.check import Finding, check, study
from nas_kd.check.examples import copies, of_examples
from nas_kd.data import SOURCES, source_of
from nas_kd.data.source import Labelled, Raw, Request, Source
from nas_kd.data.transfer import TransferSet, prepare
from nas_kd.teachers.from_python import give
from tests.conftest import tiny

Images = np.ndarray


def found(network: nn.Module) -> list[Finding]:
    """What is found of a teacher on digits."""
    spec = tiny(teacher=give([network]))
    return [one for one in check(spec, Path(), (), 0) if isinstance(one, Finding)]


def linear(inputs: Tensor, data: TransferSet, ridge: float = 1.0) -> nn.Linear:
    """A linear classifier by least squares, on inputs [N, 64] of the train split."""
    labels = torch.tensor(data.labels.open()[slice(*data.train)])
    targets = torch.nn.functional.one_hot(labels, 10).float()
    wide = torch.cat([inputs, torch.ones(len(inputs), 1)], 1)
    solved = torch.linalg.solve(wide.T @ wide + ridge * torch.eye(65), wide.T @ targets)
    layer = nn.Linear(64, 10)
    layer.weight.data, layer.bias.data = 10 * solved[:-1].T.clone(), 10 * solved[-1].clone()
    return layer


@pytest.fixture
def pixels(digits: TransferSet) -> Tensor:
    """The train split from 0 to 16, [N, 64]."""
    return torch.tensor(digits.examples.open()[slice(*digits.train)]).float().flatten(1)


@pytest.fixture
def sound(digits: TransferSet, pixels: Tensor) -> nn.Sequential:
    """A teacher that is shown what it was trained on."""
    return nn.Sequential(nn.Flatten(), linear((pixels - digits.mean[0]) / digits.std[0], digits))


def test_nothing_is_found_of_a_sound_teacher(sound: nn.Module) -> None:
    assert found(sound) == []


def test_nothing_is_found_without_a_teacher() -> None:
    assert not [one for one in check(tiny(), Path(), (), 0) if isinstance(one, Finding)]


def test_another_normalisation_is_found_with_the_flags_that_mend_it(
    digits: TransferSet, pixels: Tensor
) -> None:
    (finding,) = found(nn.Sequential(nn.Flatten(), linear(pixels / 255, digits, ridge=1e-3)))
    assert "with another normalisation" in finding.what
    assert finding.what_to_do == "Say --teacher-mean 0 --teacher-std 1."
    assert finding.how_bad == "wrong"


def test_classes_in_another_order_are_found(sound: nn.Sequential) -> None:
    layer = sound[1]
    layer.weight.data = layer.weight.data.roll(1, 0)
    layer.bias.data = layer.bias.data.roll(1, 0)
    finding = next(one for one in found(sound) if "another order" in one.what)
    assert "1 is 0, 2 is 1" in finding.what


def test_probabilities_are_found(sound: nn.Sequential) -> None:
    (finding,) = found(nn.Sequential(sound, nn.Softmax(1)))
    assert "probabilities" in finding.what


def test_stale_statistics_are_found(sound: nn.Sequential) -> None:
    norm = nn.BatchNorm1d(64, affine=False)
    norm.running_mean += 3 * torch.randn(64)  # type: ignore[operator]
    stale = nn.Sequential(nn.Flatten(), norm, sound[1])
    assert any("in train mode" in one.what for one in found(stale))


def test_answers_that_change_are_found(sound: nn.Sequential) -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = sound

        def forward(self, images: Tensor) -> Tensor:
            return torch.nn.functional.dropout(self.inner(images), 0.1, training=True)

    assert any("asked again" in one.what for one in found(Noisy()))


def test_a_teacher_at_chance_is_found() -> None:
    untrained = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    assert any("at chance" in one.what for one in found(untrained))


def test_a_teacher_that_knows_the_validation_examples_is_found(digits: TransferSet) -> None:
    rows = slice(*digits.validation)
    known = (torch.tensor(digits.examples.open()[rows]).float() - digits.mean[0]) / digits.std[0]
    labels = torch.tensor(digits.labels.open()[rows])

    class Cheat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, images: Tensor) -> Tensor:
            nearest = torch.cdist(images.flatten(1), known.flatten(1)).argmin(1)
            return 9.0 * torch.nn.functional.one_hot(labels[nearest], 10)

    assert any("perfect on 360" in one.what for one in found(Cheat()))


def raw(change: Callable[[Images, Images], None], counts: tuple[int, ...] = (60, 60, 60)) -> Raw:
    """Random pictures in which train and test are changed."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(counts)), counts)
    train, test = (random.integers(0, 255, (len(labels), 1, 16, 16), np.uint8) for _ in range(2))
    change(train, test)
    names = tuple("abcdef"[: len(counts)])
    return Raw(names, Labelled(train, labels), test=Labelled(test, labels))


def prepared(raw: Raw, tmp_path: Path) -> TransferSet:
    return prepare("mine", Source(load=lambda request: raw), Request(tmp_path), cache=tmp_path)


def test_copies_in_another_split_are_found(tmp_path: Path) -> None:
    def same(train: Images, test: Images) -> None:
        test[:5] = train[:5]

    found = list(copies(prepared(raw(same), tmp_path)))
    assert any("of 180 test examples are the same as train" in one.what for one in found)
    assert not list(copies(prepared(raw(lambda train, test: None), tmp_path)))


def test_pictures_that_were_saved_again_are_found(tmp_path: Path) -> None:
    def nearly(train: Images, test: Images) -> None:
        train[:], test[:] = train // 2 + 60, test // 2 + 60
        test[10:30] = train[10:30] + 1

    (finding, *_) = copies(prepared(raw(nearly), tmp_path))
    assert "nearly the same picture as" in finding.what


def test_pictures_that_are_alike_from_afar_alone_are_not_the_same(tmp_path: Path) -> None:
    def alike(train: Images, test: Images) -> None:
        board = np.indices((16, 16)).sum(0) % 2
        train[:], test[:] = train // 2 + 60, test // 2 + 60
        test[10:30] = train[10:30] + np.where(board, 20, -20)  # no mean of 2x2 pixels changes

    assert not list(copies(prepared(raw(alike), tmp_path)))


def test_a_rare_class_is_found(tmp_path: Path) -> None:
    data = prepared(raw(lambda train, test: None, (200, 200, 10)), tmp_path)
    findings = of_examples(data)
    few, finding = (one for one in findings if isinstance(one, Finding))
    assert few.what.startswith("137 validation examples are few: two students may differ by")
    assert "'c' has 7 examples" in finding.what
    assert "class_weights=balanced" in finding.what_to_do


@pytest.mark.parametrize(("apart", "expected"), [(True, 1), (False, 0)])
def test_files_of_one_name_in_several_splits_are_found(
    tmp_path: Path, apart: bool, expected: int
) -> None:
    random = np.random.default_rng(0)
    for kind in ("cat", "dog"):
        (tmp_path / "pets" / kind).mkdir(parents=True)
        for number in range(60):
            name = f"{kind}{number // 4}_{number % 4}" if apart else f"IMG_{number}"
            pixels = random.integers(0, 255, (12, 12, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / kind / f"{name}.png")
    name = f"imagefolder:{tmp_path / 'pets'}"
    source, request = source_of(name), Request(tmp_path)
    data = prepare(name, source, request, cache=tmp_path / "cache")
    found = [one for one in of_examples(data) if isinstance(one, Finding)]
    assert len([one for one in found if "belong together" in one.what]) == expected


def test_too_little_memory_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "PROCESS", 1e15)
    assert [one.about for one in check(tiny(), Path(), (), 1) if isinstance(one, Finding)] == [
        "memory"
    ]


def test_the_data_sets_that_come_along_have_no_findings(cache: Path) -> None:
    for name in ("digits", "mnist1d"):
        source, request = SOURCES[name], Request(Path())
        data = prepare(name, source, request)
        assert not [one for one in of_examples(data)
                    if isinstance(one, Finding)], name  # fmt: skip
