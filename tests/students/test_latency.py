"""Measured budgets. Nothing here asserts how fast this machine is, only what is done with it."""

from pathlib import Path

import pytest
import torch
from torch import nn

from nas_kd.api import Study
from nas_kd.costs.budgets import LATENCY, parse_budgets
from nas_kd.errors import UnusableBudget
from nas_kd.package.config import read_config
from nas_kd.package.load import load_student
from nas_kd.report.smallest import search
from nas_kd.report.summary import summarize
from nas_kd.space.resolve import resolve
from nas_kd.spec import StudySpec
from nas_kd.students import latency as measuring
from nas_kd.students.decode import cost, decode, fits
from nas_kd.students.latency import Latency, known_latencies, measure_latency, place, remembered
from nas_kd.study.view import StudyView
from tests.conftest import TAUGHT, searched

SHAPE = (1, 8, 8)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which nothing was measured."""
    monkeypatch.setenv("NAS_KD_CACHE", str(tmp_path))
    return tmp_path


def deep(layers: int) -> nn.Module:
    return nn.Sequential(*(nn.Conv2d(8, 8, 3, padding=1) for _ in range(layers)))


def test_measuring_leaves_threads_and_seeds_as_they_were() -> None:
    measuring.companion.cache_clear()
    network = deep(1)
    before, state = torch.get_num_threads(), torch.random.get_rng_state()
    found = measure_latency(network, (8, 4, 4))
    assert found.median > 0
    assert found.half >= 0
    assert not network.training
    assert torch.get_num_threads() == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_network_is_measured_once_and_then_remembered(fresh: Path) -> None:
    made = []

    def network() -> nn.Module:
        made.append(1)
        return deep(1)

    first = remembered("a key", network, (8, 4, 4))
    known_latencies.cache_clear()  # as in another process
    assert remembered("a key", network, (8, 4, 4)) == first
    assert remembered("another", network, (8, 4, 4)) != first
    assert len(made) == 2
    assert place().parent == fresh


@pytest.mark.usefixtures("fresh")
def test_a_line_that_a_crash_cut_off_is_measured_again() -> None:
    place().parent.mkdir(exist_ok=True)
    place().write_text('["whole", 10.0, 1.0]\n["cut", 12')
    known_latencies.cache_clear()
    assert known_latencies(place()) == {"whole": Latency(10.0, 1.0)}


@pytest.mark.parametrize("family", ["cnn", "mlp", "resnet", "mobilenet"])
def test_a_student_is_within_a_measured_budget_and_beside_others(family: str) -> None:
    budgets = parse_budgets(["5k", "2ms"])
    for width in (1.0, 0.4):
        sample = {"family": family, "depth": 2, "width": width, "taper": 1.2}
        config = decode(sample, budgets, SHAPE, 10)
        assert all(cost(config, budget) <= budget.bound for budget in budgets)
        assert decode(sample, budgets, SHAPE, 10) == config
        assert fits(config, budgets)


def test_a_budget_finer_than_the_noise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = Latency(40.0, 8.0)
    monkeypatch.setattr("nas_kd.students.decode.remembered", lambda *asked: noisy)
    spec = StudySpec.create({"budget": "50us", "family": "cnn"})
    with pytest.raises(
        UnusableBudget, match=r"finer than can be measured.* \+- 8.0us.*80us or more"
    ):
        resolve(spec, parse_budgets(spec.budget), SHAPE, 10)


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> StudyView:
    """A study whose axis is measured."""
    folder = tmp_path_factory.mktemp("timed") / "study"
    return searched(folder, budget=("3ms", "2k"), trials=4, **TAUGHT)


def test_a_measured_cost_is_the_axis_of_the_front(timed: StudyView) -> None:
    assert timed.cost == LATENCY
    assert all(0 < row.costs[LATENCY] <= 3000 for row in timed.rows)
    assert summarize(timed).lines[0].cost is None
    command = f"nas-kd search {timed.folder.spec} --budget '700us' --budget '2000'"
    assert search(timed, 700.2) == command
    study = Study.open(timed.folder.root)
    assert study.report().exists()
    assert (study.trials()["cost"] <= 3000).all()


def test_a_package_keeps_what_was_measured(timed: StudyView, tmp_path: Path) -> None:
    package = Study.open(timed.folder.root).export("best", tmp_path / "best")
    facts = read_config(package)
    assert facts["counts"][LATENCY] == timed.pick("best").costs[LATENCY]
    assert load_student(package)(torch.zeros(2, *SHAPE)).shape == (2, 10)
