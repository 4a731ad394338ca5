"""Packages that prove themselves."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from nas_kd.errors import NasKDError, Unusable, UnusableData, UnusablePackage
from nas_kd.package.evaluate import evaluate
from nas_kd.package.seal import seal_again
from nas_kd.package.write import export, load_student
from nas_kd.report.page import page
from nas_kd.study.view import StudyView
from tests.conftest import searched

LOAD = """
import sys, torch
from safetensors.torch import load_file
from nas_kd import load_student
student = load_student(sys.argv[1])
proof = load_file(sys.argv[1] + "/proof.safetensors")
with torch.inference_mode():
    off = (student(proof["inputs"]) - proof["float32"]).abs().max()
print(len(proof["inputs"]), sum(p.numel() for p in student.parameters()), float(off))
"""


@pytest.fixture
def package(study: StudyView, tmp_path: Path) -> Path:
    return export(study, "best", tmp_path / "best")


def test_a_package_gives_the_studys_logits_in_a_new_process(
    study: StudyView, package: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(package)], capture_output=True, text=True, check=True
    )
    inputs, parameters, off = done.stdout.split()
    assert inputs == "64"
    assert int(parameters) == study.pick("best").costs["parameters"]
    assert float(off) <= 1e-5
    stored = load_file(study.folder.student(study.pick("best").number) / "proof.safetensors")
    kept = load_file(package / "proof.safetensors")["float32"]
    torch.testing.assert_close(kept, stored["logits"])


def test_a_package_says_what_it_is(study: StudyView, package: Path) -> None:
    best = study.pick("best")
    facts = json.loads((package / "config.json").read_text())
    assert facts["counts"]["parameters"] == best.costs["parameters"] <= 2000
    assert facts["settings"] == best.settings
    text = (package / "card.md").read_text()
    assert f"{100 * (best.accuracy or 0):.2f} (" in text
    assert "the test split 0 times" in text


def test_a_student_takes_images_in_the_layouts_that_people_have(package: Path) -> None:
    student = load_student(package)
    images = torch.randint(0, 17, (5, 1, 8, 8), dtype=torch.uint8)
    with torch.inference_mode():
        expected = student(images)
        for given in (images.numpy(), images[:, 0], images.permute(0, 2, 3, 1), images.float()):
            torch.testing.assert_close(student(given), expected)
        with pytest.raises(ValueError, match="takes examples"):
            student(torch.zeros(5, 3, 8, 8))
        with pytest.warns(UserWarning, match=r"scaled to 0\.\.1"):
            student(images.float() / 16)


def test_a_student_names_its_classes_and_takes_the_file_of_a_picture(
    package: Path, tmp_path: Path
) -> None:
    student = load_student(package)
    assert student.classes == tuple(map(str, range(10)))
    Image.new("RGB", (30, 20), "white").save(tmp_path / "one.png")
    example = student.encode(tmp_path / "one.png")
    assert example.shape == (1, 1, 8, 8)
    assert example.min() == 255
    assert student(example / 16).shape == (1, 10)
    with pytest.raises(UnusableData, match=r"nowhere\.png: cannot be read"):
        student.encode("nowhere.png")


def test_the_card_of_a_student_that_had_no_teacher_says_so(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", trials=4, alpha=0.0)
    package = export(view, "best", tmp_path / "best")
    assert "trained on the labels alone" in (package / "card.md").read_text()


def test_any_completed_trial_can_leave(study: StudyView, tmp_path: Path) -> None:
    for which in ("knee", "0"):
        assert load_student(export(study, which, tmp_path / which))


def test_a_folder_that_is_not_empty_is_left_alone(study: StudyView, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("")
    with pytest.raises(Unusable, match="--to"):
        export(study, "best", tmp_path)


def test_a_package_that_does_not_prove_itself_is_not_left(
    study: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(package: Path, trust: bool) -> None:
        raise UnusablePackage(str(package), "is not what it was", "Export it again.")

    monkeypatch.setattr("nas_kd.package.write.load_student", refuse)
    with pytest.raises(UnusablePackage):
        export(study, "best", tmp_path / "best")
    assert not (tmp_path / "best").exists()


def test_no_examples_have_no_logits(package: Path) -> None:
    assert load_student(package)(torch.zeros(0, 1, 8, 8)).shape == (0, 10)


def test_looks_at_the_test_split_are_counted(study: StudyView) -> None:
    package = export(study, "best", study.folder.root / "best")
    validation = evaluate(package, None, Path(), "validation")
    assert validation["accuracy"] == pytest.approx(study.pick("best").accuracy)
    for times in (1, 2):
        result = evaluate(package, None, Path(), "test")
        assert result["examples"] == 360
        assert result["accuracy"] > 0.5
        assert f"the test split {times} time" in (package / "card.md").read_text()
    assert study.looks >= 2
    assert f"on the test split {study.looks} times" in page(study)
    again = export(study, "best", study.folder.root / "again")
    assert "the test split 2 times" in (again / "card.md").read_text()


def spoil_weights(package: Path) -> None:
    weights = load_file(package / "weights.safetensors")
    name = next(name for name, weight in weights.items() if weight.ndim > 1)
    save_file(weights | {name: weights[name] + 0.1}, package / "weights.safetensors")


def spoil_counts(package: Path) -> None:
    facts = json.loads((package / "config.json").read_text())
    facts["counts"]["parameters"] += 1
    (package / "config.json").write_text(json.dumps(facts))


def spoil_budget(package: Path) -> None:
    facts = json.loads((package / "config.json").read_text())
    facts["budgets"][0][1] = 10
    (package / "config.json").write_text(json.dumps(facts))


def spoil_shape(package: Path) -> None:
    facts = json.loads((package / "config.json").read_text())
    facts["student"]["channels"][0] += 1
    (package / "config.json").write_text(json.dumps(facts))


def spoil_file(package: Path) -> None:
    (package / "weights.safetensors").write_bytes(b"half")


def lose_file(package: Path) -> None:
    (package / "proof.safetensors").unlink()


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (spoil_weights, "logits that differ"),
        (spoil_counts, "its config says"),
        (spoil_budget, "over its budget of 10 parameters"),
        (spoil_shape, "other weights"),
        (spoil_file, "other weights"),
        (lose_file, r"has no proof\.safetensors"),
    ],
)
def test_a_package_that_does_not_prove_itself_is_refused(
    spoil: object, wrong: str, package: Path
) -> None:
    assert callable(spoil)
    spoil(package)
    with pytest.raises(UnusablePackage, match=wrong):
        load_student(package)


def test_data_of_another_form_are_refused(package: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "wide.npz", X=np.zeros((8, 9, 9), np.uint8), y=np.arange(8) % 2)
    with pytest.raises(Unusable, match="takes"):
        evaluate(package, f"npz:{tmp_path / 'wide.npz'}", Path(), "test")


@pytest.mark.parametrize(
    ("labels", "wrong"), [([0, 1, 2], "has labels 0 to 2 for 2 classes"), ([], "has no examples")]
)
def test_labels_of_other_data_that_are_no_classes_are_named(
    labels: list[int], wrong: str, package: Path, tmp_path: Path
) -> None:
    train, test = np.arange(8) % 2, np.array(labels, np.int64)
    np.savez(
        tmp_path / "other.npz",
        x_train=np.zeros((8, 8, 8), np.uint8), y_train=train,
        x_test=np.zeros((len(test), 8, 8), np.uint8), y_test=test,
    )  # fmt: skip
    with pytest.raises(Unusable, match=wrong):
        evaluate(package, f"npz:{tmp_path / 'other.npz'}", Path(), "test")


def test_a_student_of_pictures_is_not_scored_on_a_table(package: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("age,class\n1,0\n2,1\n")
    with pytest.raises(Unusable, match=r"is a table.*takes examples \(1, 8, 8\)"):
        evaluate(package, f"csv:{tmp_path / 'rows.csv'}", Path(), "test")


def test_a_package_of_another_schema_is_not_read(package: Path) -> None:
    facts = json.loads((package / "config.json").read_text())
    (package / "config.json").write_text(json.dumps(facts | {"schema": 1}))
    with pytest.raises(UnusablePackage, match="has schema 1, and this version of nas-kd reads 5"):
        load_student(package)


def test_a_config_that_lacks_something_is_named_and_no_look_is_counted(package: Path) -> None:
    facts = json.loads((package / "config.json").read_text())
    del facts["settings"]
    before = (package / "evaluations.json").read_text()
    (package / "config.json").write_text(json.dumps(facts))
    with pytest.raises(UnusablePackage, match=r"config\.json: .* \(settings: Field required\)"):
        evaluate(package, None, Path(), "test")
    assert (package / "evaluations.json").read_text() == before


def test_a_folder_that_is_no_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(NasKDError, match="nas-kd export"):
        load_student(tmp_path)


def test_a_package_loads_where_its_study_is_gone(package: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(package, moved)
    facts = json.loads((moved / "config.json").read_text())
    facts["study"] = str(tmp_path / "gone")
    (moved / "config.json").write_text(json.dumps(facts))
    seal_again(moved)
    assert evaluate(moved, None, Path(), "test")["examples"] == 360


def test_what_a_killed_export_left_is_gone_and_a_failed_one_leaves_nothing(
    study: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = tmp_path / ".best.4242-0"
    torn.mkdir()
    (torn / "config.json").write_text("{")
    (tmp_path / ".best.of.mine").mkdir()
    monkeypatch.setattr("nas_kd.package.write.load_student", refuses)
    with pytest.raises(UnusablePackage, match=str(tmp_path / "best")):
        export(study, "best", tmp_path / "best")
    assert [path.name for path in tmp_path.iterdir()] == [".best.of.mine"]


def refuses(package: Path, trust: bool) -> None:
    raise UnusablePackage(f"package {package}", "does not prove itself", "Export it again.")


def test_a_config_of_two_hundred_thousand_channels_is_refused_before_it_is_built(
    package: Path,
) -> None:
    config = package / "config.json"
    facts = json.loads(config.read_text())
    facts["student"]["channels"] = [200_000] * len(facts["student"]["channels"])
    config.write_text(json.dumps(facts))
    with pytest.raises(UnusablePackage, match="their file has fewer"):
        load_student(package)
