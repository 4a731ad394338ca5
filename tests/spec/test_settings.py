"""Settings of trials: one row each, also one that is added from outside."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from torch import nn
from typer.testing import CliRunner

from nas_kd import FAMILIES, KNOWLEDGE, SETTINGS
from nas_kd.api import Study
from nas_kd.cli import app
from nas_kd.errors import BudgetTooSmall, InvalidSpec
from nas_kd.package.load import load_student
from nas_kd.spec import StudySpec
from nas_kd.spec.settings import Setting, as_text, heading, linear, logarithmic, settings_in_words
from nas_kd.students.family import Family, StudentConfig
from nas_kd.study.view import StudyView
from tests.conftest import searched, tiny
from tests.report.test_dashboard import ask, served

PLUGIN = '''
from nas_kd import FAMILIES, KNOWLEDGE, SETTINGS
from nas_kd.knowledge import Knowledge
from nas_kd.spec.settings import Setting, linear
from nas_kd.students.family import Family
from torch import nn

SETTINGS["margin"] = Setting(
    distribution=linear, searched=(0.0, 1.0), default=0.25, digits=".3f",
    inert=lambda sample: sample["alpha"] == 0, heading="m",
)
SETTINGS["slope"] = Setting(distribution=linear, searched=(0.0, 0.5), default=0.1, in_config=True)


def hinge(student, teacher, margin):
    """Half the squared distance of logits beyond a margin."""
    return 0.5 * ((student - teacher).abs() - margin).clamp(min=0).square().mean(-1)


def build(config):
    """A layer of leaky units, whose slope is the trial's."""
    width, slope = config.channels[0], config.options["slope"]
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, width), nn.LeakyReLU(slope), nn.Linear(width, config.classes)
    )


KNOWLEDGE["hinge"] = Knowledge(loss=hinge, tempered=False, settings=("margin",))
FAMILIES["leaky"] = Family(build, depths=range(1, 2), settings=("slope",))
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two settings, a term and a family that read them; forgotten after these tests."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "outside.py").write_text(PLUGIN)
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))
    sys.modules.pop("outside", None)  # these tests may begin again in this process
    for registry, names in ((SETTINGS, ("margin", "slope")), (KNOWLEDGE, ("hinge",)),
                            (FAMILIES, ("leaky",))):  # fmt: skip
        for name in names:
            registry.pop(name, None)  # type: ignore[attr-defined]


OUTSIDE: dict[str, Any] = {"plugins": ["outside"], "family": "leaky", "knowledge": "hinge"}


@pytest.fixture(scope="module")
def outside(plugin: None, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> StudyView:
    """A study with settings from outside, trained in a worker process; read only."""
    return searched(tmp_path_factory.mktemp("outside") / "study", workers=1, **OUTSIDE)


def test_a_setting_from_outside_is_in_the_space_and_the_spec_that_is_kept(
    outside: StudyView,
) -> None:
    assert outside.spec.settings == {"margin": (0.0, 1.0), "slope": (0.0, 0.5)}
    assert outside.folder.read_spec() == outside.spec
    (trial, *_) = outside.optuna.get_trials()
    assert trial.distributions["margin"] == FloatDistribution(0.0, 1.0)


def test_a_setting_from_outside_is_in_every_record_and_inert_where_it_cannot_matter(
    outside: StudyView,
) -> None:
    first, alone, *others = outside.rows
    assert first.settings["margin"] == 0.25
    assert (alone.taught, alone.settings["margin"]) == (False, 0.0)
    assert len({row.settings["margin"] for row in others}) > 1


def test_a_family_is_given_the_settings_that_it_reads(outside: StudyView) -> None:
    assert {row.config.options["slope"] for row in outside.rows} == {
        row.settings["slope"] for row in outside.rows
    }
    assert len({row.config.options["slope"] for row in outside.rows}) > 1


def test_a_term_is_given_the_settings_that_it_reads(outside: StudyView, tmp_path: Path) -> None:
    fixed = {"alpha": 1.0, "width": 1.0, "learning_rate": 0.02, "slope": 0.1, "trials": 1}
    near, far = (
        searched(tmp_path / name, **OUTSIDE | fixed | {"margin": margin})
        for name, margin in (("near", 0.0), ("far", 0.9))
    )
    places = [view.folder.student(0) / "weights.safetensors" for view in (near, far)]
    assert places[0].read_bytes() != places[1].read_bytes()


def test_a_setting_from_outside_is_in_tables_csv_report_and_package(
    outside: StudyView, tmp_path: Path
) -> None:
    folder, best = str(outside.folder.root), outside.pick("best")
    margin = f"{best.settings['margin']:.3f}"
    table = CliRunner().invoke(app, ["trials", folder]).stdout
    assert " m " in table
    assert margin in table
    study = Study.open(folder)
    assert list(study.trials()["margin"]) == [row.settings["margin"] for row in outside.rows]
    csv = CliRunner().invoke(app, ["trials", folder, "--format", "csv"]).stdout
    assert "margin" in csv.splitlines()[0]
    page = study.report().read_text()
    assert ">m</th>" in page
    assert f">{margin}</td>" in page
    package = study.export("best", tmp_path / "best")
    assert (
        json.loads((package / "config.json").read_text())["settings"]["margin"]
        == (best.settings["margin"])
    )
    assert f"| m | {margin} |" in (package / "card.md").read_text()
    assert load_student(package)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_a_setting_from_outside_is_in_the_dashboard(outside: StudyView) -> None:
    with served(outside.folder) as url:
        facts = json.loads(ask(f"{url}/api/studies/1")[1])
    assert "margin" in {param["name"] for param in facts["union_search_space"]}


@pytest.mark.parametrize(
    ("said", "kept"), [(0.5, 0.5), ([0.2, 0.4], (0.2, 0.4)), ((0.2, 0.4), (0.2, 0.4))]
)
def test_a_spec_fixes_a_setting_from_outside_or_narrows_its_range(
    plugin: None, said: Any, kept: Any
) -> None:
    assert tiny(**OUTSIDE, margin=said).setting("margin") == kept
    assert tiny(**OUTSIDE, settings={"margin": said}).setting("margin") == kept


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"margin": "wide"}, "margin: must be a number, or a pair"),
        ({"margin": [1, 2, 3]}, "margin: must be a number, or a pair"),
        ({"margin": [2, 1]}, r"margin: .*low <= high"),
        ({"margin": float("inf")}, "margin: must be a number"),
        ({"margin": [0, float("nan")]}, "margin: must be a number"),
        ({"settings": {"margim": 1}}, "No setting is called 'margim'"),
        ({"settings": {"alpha": 1}}, "alpha stands beside settings"),
    ],
)
def test_what_a_setting_from_outside_cannot_be_is_said(
    plugin: None, settings: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(InvalidSpec, match=wrong):
        tiny(**OUTSIDE, **settings)


def test_a_part_that_reads_a_setting_which_nobody_registered_is_named(
    plugin: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(**OUTSIDE)
    monkeypatch.delitem(SETTINGS, "margin")
    with pytest.raises(InvalidSpec, match="hinge reads the setting margin, which nobody"):
        tiny(**OUTSIDE)


@pytest.mark.parametrize("name", list(SETTINGS))
def test_every_setting_says_how_it_is_searched_and_read(name: str) -> None:
    read = {"knowledge": "dkd"} if name.endswith("_weight") else {}
    row, said = SETTINGS[name], StudySpec.create({"budget": "20k", **read}).setting(name)
    if row.of_choices:
        assert isinstance(row.distribution(said), CategoricalDistribution)
        return
    asked = row.distribution(*said)
    assert isinstance(asked, FloatDistribution | IntDistribution)
    assert (asked.low, asked.high) == said
    assert as_text(name, said[0])


def test_choices_are_fixed_or_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Setting(distribution=CategoricalDistribution, searched=("a", "b", "c"))
    monkeypatch.setitem(SETTINGS, "letter", row)
    assert "letter" not in tiny().rows, "nobody reads it"
    assert tiny(letter=["a", "b", "c"]).setting("letter") == ("a", "b", "c")
    assert tiny(letter="b").setting("letter") == ("b",)
    assert tiny(letter=["a", "c"]).setting("letter") == ("a", "c")
    with pytest.raises(InvalidSpec, match="letter: must be of a, b, c"):
        tiny(letter="d")


def test_whole_numbers_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS, "count", Setting(distribution=IntDistribution, searched=(1, 9)))
    with pytest.raises(InvalidSpec, match="count: its values are IntDistribution"):
        tiny(count=[1.5, 3])


def test_settings_are_read_in_words_also_where_they_are_not_registered() -> None:
    settings = {"depth": 3, "knowledge": "kl", "temperature": 4.0, "alpha": 0.5, "odd_one": 0.125}
    assert settings_in_words(settings) == "knowledge kl, T 4.00, alpha 0.50, odd one 0.125"
    assert heading("learning_rate") == "learning rate"
    assert as_text("switch", True) == "true"


@pytest.mark.parametrize("name", ["my margin", "cost", "channels", "squeeze_excite", "note"])
def test_a_name_that_is_taken_or_no_word_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, name, Setting(distribution=linear, searched=(0.0, 1.0)))
    with pytest.raises(InvalidSpec, match="is taken, or no word"):
        tiny(settings={name: 0.5})


@pytest.mark.parametrize(
    "row",
    [
        Setting(distribution=linear, searched=(0.0, 1.0), digits="d"),
        Setting(distribution=logarithmic, searched=(0.0, 1.0)),
        Setting(distribution=CategoricalDistribution, searched=(None, "a")),
    ],
)
def test_a_row_that_cannot_be_searched_or_read_is_named(
    row: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "odd", row)
    with pytest.raises(InvalidSpec, match="settings: odd: "):
        tiny(settings={"odd": row.searched})


def test_a_term_reads_numbers_only(plugin: None, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny(**OUTSIDE)
    words = Setting(distribution=CategoricalDistribution, searched=("near", "far"))
    monkeypatch.setitem(SETTINGS, "margin", words)
    with pytest.raises(InvalidSpec, match="hinge reads the setting margin, whose values are words"):
        tiny(**OUTSIDE)


def test_a_study_has_no_settings_that_nothing_of_it_reads(
    outside: StudyView, tmp_path: Path
) -> None:
    view = searched(tmp_path / "plain", trials=1)
    assert view.spec.settings == {}
    assert "margin" not in view.rows[0].settings


def test_steps_and_whole_numbers_are_drawn_and_defaulted_on_their_grid(
    plugin: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    odd = Setting(distribution=partial(IntDistribution, step=2), searched=(1, 7), default=4)
    monkeypatch.setitem(SETTINGS, "odd", odd)
    view = searched(tmp_path / "study", odd=[1, 7], family="mlp")
    assert {row.settings["odd"] for row in view.rows} <= {1, 3, 5, 7}
    assert len({row.settings["odd"] for row in view.rows}) > 1


def test_a_budget_holds_where_a_setting_decides_the_size(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def build(config: StudentConfig) -> nn.Module:
        hidden = int(config.options["hidden"])
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, config.channels[0]),
            nn.Linear(config.channels[0], 10),
        )  # fmt: skip

    row = Setting(distribution=IntDistribution, searched=(1, 200), default=8, in_config=True)
    monkeypatch.setitem(SETTINGS, "hidden", row)
    monkeypatch.setitem(FAMILIES, "sized", Family(build, depths=range(1, 2), settings=("hidden",)))
    with pytest.raises(BudgetTooSmall):
        searched(tmp_path / "large", family="sized", trials=2)
    view = searched(tmp_path / "small", family="sized", trials=6, hidden=[1, 20])
    assert all(row.costs["parameters"] <= 2000 for row in view.rows)


def test_ranges_are_linear_or_logarithmic() -> None:
    assert linear(0, 1) == FloatDistribution(0, 1)
    assert logarithmic(1, 2) == FloatDistribution(1, 2, log=True)
