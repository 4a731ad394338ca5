"""The spec: one object, every problem at once."""

from pathlib import Path
from typing import Any

import pytest

from nas_kd.errors import InvalidSpec, Unusable, UnusableStudy
from nas_kd.spec import StudySpec
from nas_kd.study.folder import StudyFolder
from tests.conftest import tiny


@pytest.mark.parametrize("name", [3, "😀", 'a"b', "tab\t", "\x7f", "é", "\\"])
def test_names_of_any_letters_survive_in_toml(name: object, tmp_path: Path) -> None:
    spec = StudySpec.create({"budget": "2k", "drop": name})
    (tmp_path / "spec.toml").write_text(spec.to_toml())
    assert StudySpec.create(StudySpec.read(tmp_path / "spec.toml")) == spec


def test_a_spec_survives_toml(tmp_path: Path) -> None:
    spec = tiny(budget=["20k", "5M macs"], rungs=[1], alpha=0.5, family="cnn")
    assert kept(spec, tmp_path) == spec


def kept(spec: StudySpec, folder: Path) -> StudySpec:
    """A spec that was written down and read again."""
    (folder / "spec.toml").write_text(spec.to_toml())
    return StudySpec.create(StudySpec.read(folder / "spec.toml"))


def test_a_spec_of_another_schema_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text('schema = 1\nbudget = ["20k"]\n')
    with pytest.raises(InvalidSpec, match="has schema 1, and this version of nas-kd reads 4"):
        StudySpec.read(tmp_path / "spec.toml")
    (tmp_path / "spec.toml").write_text('budget = ["20k"]\n')
    assert StudySpec.read(tmp_path / "spec.toml") == {"budget": ["20k"]}
    with pytest.raises(UnusableStudy, match=r"has schema None.*search in a new folder: --study"):
        StudyFolder(tmp_path).read_spec()
    for text in ("schema = 4\n", 'schema = 4\nbudget = ["20k"]\nsecond_chances = 0.5\n'):
        (tmp_path / "spec.toml").write_text(text)
        with pytest.raises(UnusableStudy, match=r"(budget|second_chances): is no setting, or is"):
            StudyFolder(tmp_path).read_spec()


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InvalidSpec) as caught:
        StudySpec.create(
            {"budget": "abc", "data": "glyph", "depht": 3, "trials": "x", "alpha": [0.5, 2],
             "family": ["cnn", "mpl"], "depth": 2.5}
        )  # fmt: skip
    text = str(caught.value)
    assert len(caught.value.problems) == 7
    for part in ("budget 'abc'", "Did you mean 'glyphs'", "Did you mean 'depth'", "trials:",
                 "alpha: must lie in [0, 1]", "Did you mean 'mlp'", "given: 2.5"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"rungs": [3, 2]}, "rungs"),
        ({"eta": float("inf")}, "eta"),
        ({"weight_decay": float("inf")}, "weight_decay"),
        ({"rungs": [2]}, "rungs"),
        ({"temperature": [4, 2]}, "temperature"),
        ({"width": 0}, "width"),
        ({"depth": [0, 3]}, "depth"),
        ({"knowledge": "klx"}, "knowledge"),
        ({"scheme": "onlin"}, "scheme"),
        ({"budget": ["20k", "30k"]}, "budget"),
        ({"budget": []}, "budget"),
        ({"multiple_of": 3}, "multiple_of"),
        ({"batch": 1}, "batch"),
        ({"eta": 1}, "eta"),
        ({"trials": 0}, "trials"),
        ({"epochs": 0}, "epochs"),
        ({"sampler": "gp"}, "sampler"),
    ],
)
def test_a_setting_out_of_its_range_is_named(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidSpec, match=f"(?m)^  {name}:"):
        tiny(**settings)


def test_a_spec_without_a_budget_shows_one() -> None:
    with pytest.raises(InvalidSpec, match='for example budget = "20k"'):
        StudySpec.create({})


def test_a_plugin_that_is_not_there_is_named() -> None:
    with pytest.raises(Unusable, match="no_such_plugin"):
        tiny(plugins=["no_such_plugin"])


@pytest.mark.parametrize("text", ["budget = ", "[[", "\xff"])
def test_what_is_not_toml_is_an_error_that_names_the_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidSpec, match=r"spec\.toml: is not TOML"):
        StudySpec.read(path)
    with pytest.raises(InvalidSpec, match="no such file"):
        StudySpec.read(tmp_path / "other.toml")


def test_only_the_number_of_trials_may_differ() -> None:
    assert tiny().differences(tiny(trials=99)) == ()
    assert tiny().differences(tiny(epochs=3)) == ("epochs: 2 there, 3 asked",)


def test_options_of_families_are_settings_like_others(tmp_path: Path) -> None:
    given = {"budget": "20k", "family": ["mobilenet", "cnn"]}
    spec = StudySpec.create(given | {"squeeze_excite": True, "mobile": ["separable", "inverted"]})
    assert spec.options == {"squeeze_excite": (True,), "mobile": ("separable", "inverted")}
    assert kept(spec, tmp_path) == spec
    with pytest.raises(InvalidSpec, match="squeeze_excite is no option of cnn; they have none"):
        StudySpec.create({"budget": "20k", "family": "cnn", "squeeze_excite": True})
    with pytest.raises(InvalidSpec, match='mobile must be of "separable", "inverted"'):
        StudySpec.create(given | {"mobile": "upright"})


def test_data_and_teachers_that_were_moved_are_no_difference_whatever_their_paths() -> None:
    data = [StudySpec.create({"budget": "2k", "data": f"npz:/{place}.npz"})
            for place in ("old/c++/one", "new/other")]  # fmt: skip
    assert data[0].differences(data[1]) == ()
    pairs = [StudySpec.create({"budget": "2k", "teacher": f"onnx:/{place}.onnx+train:8"})
             for place in ("old/t", "new/t")]  # fmt: skip
    assert pairs[0].differences(pairs[1]) == ()
    other = StudySpec.create({"budget": "2k", "teacher": "onnx:/old/t.onnx+mine:net"})
    assert "teacher" in pairs[0].differences(other)[0]
