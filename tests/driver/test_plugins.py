"""Parts that are added from outside work in workers, which have no registrations of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PARTS = '''
import numpy as np
import torch
from nas_kd import FAMILIES, KNOWLEDGE, SOURCES, TEACHERS, Answerer, TeacherKind, Widths
from nas_kd.data.source import Labelled, Raw, Source
from nas_kd.knowledge import Knowledge
from nas_kd.students.mlp import MLP

def logit_mse(student, teacher):
    """Half the squared distance of logits."""
    return 0.5 * ((student - teacher) ** 2).mean(-1)

def blobs(request):
    random = np.random.default_rng(request.seed)
    labels = np.arange(600) % 4
    centres = random.normal(size=(4, 1, 4, 4)) * 2
    images = (centres[labels] + random.normal(size=(600, 1, 4, 4))).astype(np.float32)
    return Raw(classes=tuple("abcd"), train=Labelled(images, labels))

class Net(torch.nn.Module):
    """A family that is named by its place alone."""

    widths = Widths(depths=range(1, 2))

    def __init__(self, channels, classes):
        super().__init__()
        self.hidden = torch.nn.Linear(16, channels[0])
        self.head = torch.nn.Linear(channels[0], classes)

    def forward(self, images):
        return self.head(self.hidden(images.flatten(1)).relu())

def nearest(teacher, data, device):
    """Answers by the distance to the mean picture of each class."""
    rows = slice(*data.labelled)
    pictures, labels = data.examples.open()[rows], data.labels.open()[rows]
    means = np.stack([pictures[labels == number].mean(0) for number in range(4)])
    sharp = float(teacher.target.partition(":")[2])

    def answer(row_B, examples_BX):
        apart = examples_BX[:, None].numpy() - means[None]
        return torch.from_numpy(-sharp * (apart ** 2).mean((2, 3, 4))).float()

    return Answerer(answer=answer, parameters=means.size)

TEACHERS["means"] = TeacherKind(open=nearest)
FAMILIES["mine"] = MLP
KNOWLEDGE["logit-mse"] = Knowledge(loss=logit_mse, tempered=False)
SOURCES["blobs"] = Source(load=blobs, shift=0)
'''


LEARNING = '''
from nas_kd import KNOWLEDGE, SCHEMES
from nas_kd.knowledge import Knowledge
from nas_kd.schemes import Scheme
from nas_kd.schemes.online import peers_of

def energy(features):
    return tuple(maps.square().mean((1, 2, 3)) for maps in features)

def loudness(student, teacher):
    """How far the mean squares of the last maps are apart."""
    return (energy(student)[0] - teacher[0]).square()

def their_mean(live):
    return live.log_softmax(-1).logsumexp(0, keepdim=True).expand_as(live)

KNOWLEDGE["loudness"] = Knowledge(loudness, tempered=False, layers="last", maps=True, keep=energy)
SCHEMES["together"] = Scheme(mates=peers_of, target=their_mean, most_alpha=0.95)
'''


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--knowledge", "loudness", "--knowledge", "kl + 2 loudness"], "for loudness"),
        (["--scheme", "together", "--fix", "peers=3"], "Best"),
    ],
)
def test_a_term_of_layers_and_a_scheme_from_outside_work_in_workers(
    flags: list[str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "learning.py").write_text(LEARNING)
    command = [
        sys.executable, "-c", "from nas_kd.cli import main; main()", "search", "--budget", "2k",
        "--fix", 'plugins=["learning"]', "--data", "digits", "--family", "cnn", "--trials", "4",
        "--fix", "generation=4", "--epochs", "2", "--fix", "teacher_epochs=3", "--fix",
        "teacher_width=4", "--fix", "width=1", "--fix", "alpha=0.5", "--workers", "2", *flags,
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout + done.stderr


READ = """
import sys
from typer.testing import CliRunner
from nas_kd.cli import app

for command, *flags in (["trials"], ["report"], ["smallest", "--accuracy", "1%"]):
    done = CliRunner().invoke(app, [command, sys.argv[1], *flags])
    assert done.exit_code == 0, (command, done.output, done.exception)
assert "myparts" not in sys.modules
"""


def test_families_a_loss_a_source_and_a_teacher_from_outside_work_in_workers(
    tmp_path: Path,
) -> None:
    (tmp_path / "myparts.py").write_text(PARTS)
    program = [sys.executable, "-c", "from nas_kd.cli import main; main()"]
    command = [
        *program, "search", "--budget", "1k",
        "--fix", 'plugins=["myparts"]', "--data", "blobs", "--family", "mine", "--family",
        "myparts:Net", "--knowledge", "logit-mse", "--trials", "5", "--epochs", "3",
        "--teacher", "means:4", "--workers", "2",
        "--fix", "batch=32",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "mine" in done.stdout
    assert "means:4" in done.stdout
    assert "largest mine" in done.stdout
    assert "largest myparts:Net" in done.stdout

    (tmp_path / "myparts.py").write_text("raise SystemExit('imported')")
    (study,) = (tmp_path / "runs").iterdir()
    reading = [sys.executable, "-c", READ, str(study)]
    subprocess.run(reading, cwd=tmp_path, env=environment, check=True)
