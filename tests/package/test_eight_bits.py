"""Students of 8 bits leave as packages that stand alone and prove themselves."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from nas_kd.api import Study
from nas_kd.costs.budgets import COSTS
from nas_kd.errors import Unusable, UnusablePackage
from nas_kd.package.evaluate import evaluate
from nas_kd.package.load import load_student, opened
from nas_kd.package.write import Also, export, written_in_words
from nas_kd.students.decode import counts
from nas_kd.study.view import StudyView
from tests.conftest import searched

EVERYTHING = Also(onnx=True, int8=True, c=True)


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> StudyView:
    """A finished study of 8-bit students; read only."""
    folder = tmp_path_factory.mktemp("studies") / "digits-3kB"
    return searched(folder, budget=["3kB", "2kB ram"], trials=4, batch=32)


@pytest.fixture(scope="module")
def package(quantised: StudyView, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its best student, with everything; read only."""
    return export(quantised, "best", tmp_path_factory.mktemp("packages") / "best",
                  also=EVERYTHING)  # fmt: skip


def test_a_budget_of_bytes_has_students_of_8_bits_within_it(quantised: StudyView) -> None:
    for row in quantised.rows:
        assert row.config.bits == row.settings["bits"] == 8
        assert row.costs["bytes"] == COSTS["bytes"](counts(row.config), 8) <= 3000
        assert row.costs["ram"] <= 2000
        assert "8 bits" in row.config.name()


def test_a_package_answers_in_integers_as_it_was_scored(
    quantised: StudyView, package: Path
) -> None:
    data, best = quantised.folder.read_data(), quantised.pick("best")
    rows = slice(*data.validation)
    student = load_student(package)
    logits = student.answer(data.examples.open()[rows])
    right = logits.argmax(1).numpy() == data.labels.open()[rows]
    assert right.mean() == pytest.approx(best.accuracy)
    kept = load_file(package / "proof.safetensors")
    assert (kept["int8"] == logits[: len(kept["int8"])]).all()
    assert not torch.equal(kept["int8"], kept["float32"])


def test_the_proof_says_classes_costs_and_files(quantised: StudyView, package: Path) -> None:
    proof = json.loads((package / "proof.json").read_text())
    assert [len(classes) for classes in proof["answers"].values()] == [64, 64]
    assert proof["answers"]["int8"] == opened(package, False).answers()["int8"].argmax(1).tolist()
    assert proof["costs"] == {
        name: quantised.pick("best").costs[name] for name in ("parameters", "macs", "bytes", "ram")
    }
    assert {*proof["files"]} == {
        "config.json", "weights.safetensors", "proof.safetensors", "student.py", "model.onnx",
        "model.int8.onnx", "c/student.h", "c/student.c", "c/student_test.c", "c/Makefile",
        "c/README.md",
    }  # fmt: skip


BLOCKED = """
import sys
sys.modules["nas_kd"] = None
sys.path.insert(0, sys.argv[1])
from safetensors.torch import load_file
from student import load
student, proof = load(), load_file(sys.argv[1] + "/proof.safetensors")
print(float((student(proof["inputs"]) - proof["float32"]).abs().max()), len(student.classes))
"""


def test_plain_pytorch_gives_the_stored_answers_without_nas_kd(package: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(package)], capture_output=True, text=True, check=True
    )
    off, classes = done.stdout.split()
    assert float(off) <= 1e-5
    assert classes == "10"


def test_both_models_say_what_they_take(package: Path) -> None:
    import onnxruntime

    for file in ("model.onnx", "model.int8.onnx"):
        session = onnxruntime.InferenceSession(package / file)
        said = session.get_modelmeta().custom_metadata_map
        assert json.loads(said["classes"]) == list(map(str, range(10)))
        assert said["input_layout"] == "batch, channels, height, width"
        assert said["budget"] == "3000 bytes and 2000 ram"
        assert ("% accuracy of 360 examples" in said.get("validation", "")) == ("int8" in file)
        inputs = load_file(package / "proof.safetensors")["inputs"].float().numpy()
        for count in (1, 7):
            (logits,) = session.run(None, {"examples": inputs[:count]})
            assert logits.shape == (count, 10)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_c_folder_passes_its_own_test(package: Path, tmp_path: Path) -> None:
    shutil.copytree(package / "c", tmp_path / "c")
    done = subprocess.run(["make", "-s", "test"], cwd=tmp_path / "c", capture_output=True,
                          text=True, check=True)  # fmt: skip
    assert done.stdout == "PASS: 64 of 64 examples\n"
    facts = json.loads((package / "config.json").read_text())
    assert facts["c"]["arena"] == facts["counts"]["ram"]
    assert facts["c"]["sections"]["bss"] == facts["counts"]["ram"]
    assert f"{facts['counts']['bytes']:,} of weights" in (package / "c/README.md").read_text()


def test_how_often_integers_and_floats_give_the_same_class_is_said(package: Path) -> None:
    answers = json.loads((package / "proof.json").read_text())["answers"]
    pairs = list(zip(answers["int8"], answers["float32"], strict=True))
    same = sum(one == other for one, other in pairs) / len(pairs)
    assert f"integers give the class of the floats on {100 * same:.0f}% of the stored inputs" in (
        "\n".join(written_in_words(package))
    )


def test_a_proof_that_says_something_else_is_refused(package: Path, tmp_path: Path) -> None:
    for name, other in (("answers", {"float32": [0] * 64, "int8": [0] * 64}), ("costs", {})):
        shutil.copytree(package, tmp_path / name)
        proof = json.loads((package / "proof.json").read_text())
        (tmp_path / name / "proof.json").write_text(json.dumps(proof | {name: other}))
        with pytest.raises(UnusablePackage, match=r"than proof\.json says"):
            load_student(tmp_path / name)


def spoil_text(name: str) -> Callable[[Path], None]:
    """Change a file by a letter."""
    return lambda package: (package / name).write_bytes((package / name).read_bytes() + b" ")


def spoil_weight(package: Path) -> None:
    """Change one weight by so little that no answer changes."""
    weights = load_file(package / "weights.safetensors")
    name = next(name for name, weight in weights.items() if weight.ndim > 1)
    weights[name].view(-1)[0] *= 1 + 1e-6
    save_file(weights, package / "weights.safetensors")


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (spoil_weight, "weights.safetensors is not the file that was exported"),
        (spoil_text("config.json"), "config.json is not"),
        (spoil_text("student.py"), "student.py is not"),
        (spoil_text("model.onnx"), "model.onnx is not"),
        (spoil_text("model.int8.onnx"), "model.int8.onnx is not"),
        (spoil_text("c/student.c"), "c/student.c is not"),
        (lambda package: (package / "c/student.h").unlink(), "c/student.h is missing"),
    ],
    ids=["weight", "config", "plain", "onnx", "int8", "c", "lost"],
)
def test_a_package_that_was_tampered_with_is_not_evaluated(
    spoil: Callable[[Path], None], wrong: str, package: Path, tmp_path: Path
) -> None:
    shutil.copytree(package, tmp_path / "best")
    evaluate(tmp_path / "best", None, Path(), "validation")
    spoil(tmp_path / "best")
    with pytest.raises(UnusablePackage, match=wrong):
        evaluate(tmp_path / "best", None, Path(), "validation")


def test_ranges_that_changed_give_other_integers(package: Path, tmp_path: Path) -> None:
    shutil.copytree(package, tmp_path / "best")
    proof = load_file(package / "proof.safetensors")
    save_file(proof | {"ranges": 2 * proof["ranges"]}, tmp_path / "best" / "proof.safetensors")
    with pytest.raises(UnusablePackage, match=r"logits that differ by .* in int8"):
        load_student(tmp_path / "best")


def test_a_student_of_32_bits_is_quantised_when_it_leaves(study: StudyView, tmp_path: Path) -> None:
    package = export(study, "best", tmp_path / "best", also=EVERYTHING)
    facts = json.loads((package / "config.json").read_text())
    eight, best = facts["int8"], study.pick("best")
    assert eight["counts"]["bytes"] == COSTS["bytes"](counts(best.config), 8)
    assert abs(eight["accuracy"] - (best.accuracy or 0)) < 0.05
    assert facts["c"]["arena"] == eight["counts"]["ram"]
    assert load_student(package).program is None
    said = "\n".join(written_in_words(package))
    assert "in 8 bits:" in said
    assert "on validation" in said


def test_the_studys_examples_are_prepared_again_where_a_student_needs_them_for_its_ranges(
    study: StudyView, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(study.folder.root, folder)
    data = json.loads((folder / "data.json").read_text())
    data["examples"]["path"] = str(tmp_path / "gone.npy")
    (folder / "data.json").write_text(json.dumps(data))
    found = Study.open(folder)
    assert found.export("best", tmp_path / "plain")
    assert (found.export("best", tmp_path / "eight", c=True) / "c" / "student.c").exists()
    spec = (folder / "spec.toml").read_text()
    (folder / "spec.toml").write_text(spec.replace('"digits"', f'"npz:{tmp_path}/no.npz"'))
    with pytest.raises(Unusable, match=r"training examples .* gone \(.*no\.npz"):
        Study.open(folder).export("best", tmp_path / "none", int8=True)
    assert not (tmp_path / "none").exists()


def test_a_package_without_integers_is_none_of_c(study: StudyView, tmp_path: Path) -> None:
    from nas_kd.package.c.write import to_c
    from nas_kd.package.onnx import to_int8

    package = export(study, "0", tmp_path / "zero")
    for write, flag in ((to_int8, "--int8"), (to_c, "--c")):
        with pytest.raises(Unusable, match=flag):
            write(package)


def test_a_table_leaves_with_its_encoding(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = ["age,colour,label"]
    for _ in range(400):
        age, colour = draw.uniform(0, 80), draw.choice(["red", "blue"])
        rows.append(f"{age:.2f},{colour},{'old' if (age > 40) == (colour == 'red') else 'new'}")
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n")
    view = searched(tmp_path / "study", data=f"csv:{tmp_path / 'rows.csv'}", budget="1kB",
                    family=["mlp"], trials=2, epochs=3)  # fmt: skip
    package = export(view, "best", tmp_path / "best", also=EVERYTHING)
    text = (package / "c" / "student.h").read_text()
    assert "float age;" in text
    assert "int colour; /* 'colour': one of the words below, or STUDENT_OTHER */" in text
    assert "#define STUDENT_COLOUR_RED 1 /* 'red' */" in text
    assert "student_encode(&row, example)" in (package / "c" / "README.md").read_text()
