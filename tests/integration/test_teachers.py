"""One command for each kind of teacher, from the files to an exported student."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from skops import io
from torch import nn

from nas_kd.package.load import load_student
from tests.conftest import Run
from tests.teachers import own
from tests.teachers.test_kinds import pipeline

pytestmark = pytest.mark.slow

QUICK = ["--trials", "6", "--epochs", "4", "--workers", "2", "--fix", "teacher_epochs=4",
         "--fix", "batch=32"]  # fmt: skip
DIGITS = ["--budget", "2k", "--data", "digits"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a teacher of every kind."""
    random = np.random.default_rng(0)
    age, colour = random.normal(40, 12, 900), random.choice(("red", "green", "blue"), 900)
    odds = (age - 40) / 6 + 2 * (colour == "red") - (colour == "blue")
    frame = pd.DataFrame({"age": age.round(1), "colour": colour,
                          "outcome": np.where(odds > 0, "yes", "no")})  # fmt: skip
    frame.loc[::17, "age"] = np.nan
    frame.loc[::23, "colour"] = None
    frame.to_csv(tmp_path / "people.csv", index=False)
    io.dump(pipeline(pd.read_csv(tmp_path / "people.csv")), tmp_path / "hgb.skops")
    network = own.fitted().eval()
    first = ({0: torch.export.Dim("batch")},)
    example = (torch.zeros(2, 1, 8, 8),)
    torch.export.save(torch.export.export(network, example, dynamic_shapes=first),
                      tmp_path / "teacher.pt2")  # fmt: skip
    program = torch.onnx.export(network, example, dynamo=True, verbose=False, dynamic_shapes=first)
    assert program is not None
    program.save(tmp_path / "teacher.onnx")
    answers(tmp_path, network)
    return tmp_path


def answers(place: Path, network: nn.Module) -> None:
    """The network's answers to the digits, in three forms, and the digits without labels."""
    pixels, _ = own.load_digits(return_X_y=True)
    images = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8)
    shares = network((images - images.mean()) / images.std()).softmax(-1).detach().numpy()
    np.savez(place / "answers.npz", probabilities=shares)
    frame = pd.DataFrame(shares, columns=[str(number) for number in range(10)])
    frame.assign(row=range(len(frame))).sample(frac=1, random_state=0).to_csv(
        place / "answers.csv", index=False
    )
    frame.to_parquet(place / "answers.parquet")
    np.savez(place / "bare.npz", X=pixels.reshape(-1, 8, 8).astype(np.float32))


COMMANDS: dict[str, list[str]] = {
    "boosted trees on a CSV with missing values and words": [
        "--budget", "1k", "--data", "csv:people.csv", "--label", "outcome", "--teacher",
        "hgb.skops", "--trust"],
    "an ensemble of three": [*DIGITS, "--teacher", "train:4+train:4+train:8"],
    "two teachers": [*DIGITS, "--teacher", "train:4", "--teacher", "train:12"],
    "no labels": ["--budget", "2k", "--data", "npz:bare.npz", "--teacher", "teacher.onnx",
                  "--teacher-classes", "10"],
    "ONNX": [*DIGITS, "--teacher", "teacher.onnx"],
    "a program of torch.export": [*DIGITS, "--teacher", "teacher.pt2", "--trust"],
    "a table as .npz": [*DIGITS, "--teacher", "answers.npz"],
    "a table as .csv": [*DIGITS, "--teacher", "answers.csv"],
    "a table as .parquet": [*DIGITS, "--teacher", "answers.parquet"],
}  # fmt: skip


@pytest.mark.parametrize("kind", COMMANDS)
def test_one_command_ends_in_an_exported_student(
    kind: str, place: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    done = run("search", *COMMANDS[kind], *QUICK, "--study", "runs/one")
    assert done.returncode == 0, done.stderr
    shown = run("report", "runs/one", "--print").stdout
    measured = "Agreement with the teacher" if kind == "no labels" else "Accuracy"
    assert f"{measured} on" in " ".join(shown.split())
    assert run("report", "runs/one").returncode == 0
    done = run("export", "runs/one")
    assert done.returncode == 0, done.stderr
    student: Any = load_student(place / "runs" / "one" / "best")
    assert len(student.classes) == (2 if "CSV" in kind else 10)
    if "two" in kind:
        assert "teacher" in run("trials", "runs/one", "--format", "csv").stdout.splitlines()[0]
