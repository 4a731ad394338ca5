"""Every block of the README and docs/ is run: shell lines as commands, Python as programs.

But for `make` and `pip install`, which a clean clone runs.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from skops import io
from torch.nn.functional import cross_entropy
from torchvision.models import resnet18

from nas_kd.data.imagefolder import load
from nas_kd.data.source import Request
from nas_kd.package.write import export
from nas_kd.study.view import StudyView
from nas_kd.teachers.network import wide
from tests.conftest import searched
from tests.data.test_imagefolder import folder
from tests.data.test_table import sorted_people
from tests.integration.postgres import Server, server
from tests.integration.test_own import faces

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCS.remove(ROOT / "docs" / "tracking.md")  # tests/test_docs.py runs it
QUICK = [
    "--trials", "2", "--epochs", "2", "--fix", "teacher_epochs=6", "--fix", "teacher_width=4",
    "--fix", "batch=16", "--workers", "0",
]  # fmt: skip

SERVER = "postgresql://ana@db.example/studies"

MYDATA = """
import numpy as np

def load():
    with np.load("pictures.npz") as opened:
        return opened["X"], opened["y"]
"""

MYMODELS = """
import os
import torch
from safetensors.torch import load_file
from nas_kd.teachers.network import wide

def resnet():
    '''A teacher for the data at hand: three faces, or the ten digits from Python.'''
    if os.environ.get("DIGITS"):
        network = wide((1, 8, 8), 10, 8)
        network.load_state_dict(load_file(os.environ["DIGITS"]))
        return network
    return wide((1, 8, 8), 3, 4)
"""


def trained(network: torch.nn.Module, side: int, steps: int = 12) -> torch.nn.Module:
    """A teacher of the three faces that is better than chance."""
    x, y = faces(96)
    images = torch.tensor(x)[:, None].float() / 255
    if side != 8:
        images = torch.nn.functional.interpolate(images, (side, side)).expand(-1, 3, -1, -1)
        images = (images - 0.45) / 0.225
    else:
        images = (images - images.mean()) / images.std()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    network.train()
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(network(images), torch.tensor(y)).backward()
        optimizer.step()
    return network


def of_pictures(pictures: Path) -> torch.nn.Module:
    """A ResNet-18 that tells the two kinds of pictures apart, normalised as the data are."""
    raw = load(Request(Path()), folder=str(pictures))
    images = torch.from_numpy(raw.train.examples_NX).float()
    mean, std = images.mean((0, 2, 3), keepdim=True), images.std((0, 2, 3), keepdim=True)
    network = resnet18(num_classes=2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(15):
        optimizer.zero_grad()
        answers = network((images - mean) / std)
        cross_entropy(answers, torch.from_numpy(raw.train.labels_N)).backward()
        optimizer.step()
    return network


def sensors(root: Path) -> None:
    """What a machine's sensors say, in three states of it."""
    random = np.random.default_rng(0)
    state = random.integers(0, 3, 300)
    rows = {
        "temperature": 20 + 5 * state + random.normal(size=300),
        "vibration": random.normal(size=300) * (1 + state),
        "mode": np.where(random.random(300) < 0.5, "idle", "busy"),
        "state": np.array(["good", "worn", "broken"])[state],
    }
    pandas.DataFrame(rows).to_csv(root / "sensors.csv", index=False)


def signals(root: Path) -> None:
    """Signals without labels, and a network as ONNX that tells six classes of them apart."""
    random = np.random.default_rng(0)
    np.savez(root / "signals.npz", X=random.normal(size=(600, 2, 40)).astype(np.float32))
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(80, 6)).eval()
    first = ({0: torch.export.Dim("batch")},)
    program = torch.onnx.export(network, (torch.zeros(2, 2, 40),), dynamo=True, verbose=False,
                                dynamic_shapes=first)  # fmt: skip
    assert program is not None
    program.save(root / "teacher.onnx")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, study: StudyView) -> Path:
    """A folder with all that the documents speak of."""
    root = tmp_path_factory.mktemp("documents")
    folder(root / "pictures", 120)
    x, y = faces(240)
    np.savez(root / "pictures.npz", X=x, y=y)
    (root / "mydata.py").write_text(MYDATA)
    (root / "mymodels.py").write_text(MYMODELS)
    torch.manual_seed(0)
    torch.save({"state_dict": trained(wide((1, 8, 8), 3, 4), 8, 40).state_dict()},
               root / "best.ckpt")  # fmt: skip
    torch.save(trained(resnet18(num_classes=3), 64).state_dict(), root / "best.pt")
    torch.save(of_pictures(root / "pictures").state_dict(), root / "resnet18.pt")
    for name in ("digits-2k", "glyphs-20k", "with-resnet", "without"):
        shutil.copytree(study.folder.root, root / "runs" / name)
    rows = sorted_people().rename(columns={"class": "outcome"})
    rows.to_csv(root / "people.csv", index=False)
    rows.drop(columns=["outcome", "family"]).to_csv(root / "new-people.csv", index=False)
    features = rows.drop(columns=["outcome", "family"])
    rows.drop(columns="outcome").to_csv(root / "prospects.csv", index=False)
    shutil.copy(root / "prospects.csv", root / "more-people.csv")
    words = OneHotEncoder(handle_unknown="ignore")
    encoder = make_column_transformer((words, list(features.select_dtypes(exclude="number"))),
                                      remainder=SimpleImputer())  # fmt: skip
    model = make_pipeline(encoder, RandomForestClassifier(20, random_state=0))
    model.fit(features, rows["outcome"])
    for name in ("model", "forest"):
        io.dump(model, root / f"{name}.skops")
    (root / "more-pictures").mkdir()
    for picture in list((root / "pictures").rglob("*.png"))[:6]:
        shutil.copy(picture, root / "more-pictures" / picture.name)
    signals(root)
    sensors(root)
    view = searched(
        root / "runs" / "people-2k", data=f"csv:{root / 'people.csv'}", label="outcome",
        group="family", trials=2, teacher_epochs=30,
    )  # fmt: skip
    export(view, "best", root / "runs" / "people-2k" / "best")
    return root


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with server() as found:
        yield found


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{path.stem}-{number}")
        for path in DOCS
        if language == "sh" or path.stem != "clusters"  # which needs SLURM, and Kubernetes
        for number, block in enumerate(
            re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)
        )
        if language == "python" or block.startswith("nas-kd")
    ]


def run(command: list[str], place: Path, codes: tuple[int, ...] = (0,), **extra: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | extra
    done = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in codes, done.stderr + done.stdout


@pytest.mark.parametrize("block", blocks("sh"))
def test_a_shell_block_runs(block: str, place: Path, request: pytest.FixtureRequest) -> None:
    if SERVER in block:
        block = block.replace(SERVER, request.getfixturevalue("database").url)
    for package in ("knee", "best"):
        shutil.rmtree(place / "runs" / "digits-2k" / package, ignore_errors=True)
    for line in block.strip().splitlines():
        words = shlex.split(line, comments=True)
        if words[0] == "make":
            run(words, place)
            continue
        assert words[0] == "nas-kd"
        if words[1] == "search":
            target = place / "runs" / f"block-{len(list((place / 'runs').iterdir()))}"
            if "--study" not in words:
                words += ["--study", str(target)]
            study = place / words[words.index("--study") + 1]
            words += ["--workers", "0"] if study.exists() else QUICK
            if not study.exists() and "--data" not in words:
                words += ["--data", "digits"]  # a tenth of the default's pictures and pixels
        if words[1] == "confirm":
            words += ["--seeds", "2", "--epochs", "1", "--workers", "0"]
        main = [sys.executable, "-c", "from nas_kd.cli import main; main()"]
        run([*main, *words[1:]], place, (0, 1) if words[1] == "check" else (0,))


@pytest.mark.parametrize("block", blocks("python"))
def test_a_python_block_runs(block: str, place: Path, study: StudyView) -> None:
    shutil.rmtree(place / "runs" / "digits-2k" / "knee", ignore_errors=True)
    shutil.rmtree(place / "runs" / "mine", ignore_errors=True)
    program = place / "program.py"
    quick = "study='runs/mine', teacher_epochs=4, teacher_width=8"
    text = block.replace("epochs=2)", f"epochs=2, {quick})")
    text = text.replace("trials=16)", f"trials=4, epochs=2, {quick})")
    program.write_text(text)
    digits = str(study.folder.teacher / "weights.safetensors")
    run([sys.executable, str(program)], place, DIGITS=digits)
