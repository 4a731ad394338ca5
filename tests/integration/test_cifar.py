"""A quarter of the CIFAR-10 subset as a folder of pictures, with a ResNet-18 trained here."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from torchvision.models import resnet18

import nas_kd
from nas_kd.data.imagefolder import load
from nas_kd.data.source import Request
from nas_kd.package.evaluate import evaluate

SUBSET = Path(__file__).parents[3] / "shared" / "data" / "cifar10-subset.tar"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not SUBSET.exists(), reason=f"needs {SUBSET}")]

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)


def kept(name: str) -> bool:
    """Every fourth picture."""
    return "." not in name or int(Path(name).stem) % 4 == 0


def trained(root: Path, path: Path) -> None:
    """Train a ResNet-18 on the folder and save it as DistributedDataParallel does."""
    raw = load(Request(Path()), folder=str(root))
    images = torch.from_numpy(raw.train.examples_NX).float() / 255
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (MEAN, STD))
    images = (images - mean) / std
    labels = torch.from_numpy(np.array(raw.train.labels_N))
    network = resnet18(num_classes=10)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(2):
        for index in torch.randperm(len(labels)).split(32):
            optimizer.zero_grad()
            cross_entropy(network(images[index]), labels[index]).backward()
            optimizer.step()
    torch.save({f"module.{name}": v for name, v in network.state_dict().items()}, path)


def test_a_resnet_teaches_a_student_on_a_folder_of_jpegs(tmp_path: Path) -> None:
    with tarfile.open(SUBSET) as archive:
        if hasattr(tarfile, "data_filter"):  # from Python 3.11.4 on
            archive.extraction_filter = tarfile.data_filter
        members = archive.getmembers()
        archive.extractall(tmp_path, [one for one in members if kept(one.name)])
    root = tmp_path / "cifar10-subset"
    torch.manual_seed(0)
    trained(root, tmp_path / "resnet18.pt")
    study = nas_kd.search(
        "20k", data=f"imagefolder:{root}", teacher="torchvision:resnet18",
        teacher_weights=tmp_path / "resnet18.pt", teacher_mean=MEAN, teacher_std=STD,
        study=tmp_path / "study", trials=3, epochs=8, batch=32, family="cnn", workers=2, quiet=True,
    )  # fmt: skip
    log = (tmp_path / "study" / "search.log").read_text()
    assert "prefix 'module.' taken off" in log
    lines = study.summary().lines
    assert (lines[0].accuracy or 0) > 0.35
    result = evaluate(study.export(), f"imagefolder:{root / 'test'}", Path(), "test")
    assert result["examples"] == 500
    assert result["accuracy"] > 0.25
