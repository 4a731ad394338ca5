"""Networks of others as families: the same layers, narrower and shallower."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from nas_kd.costs.budgets import parse_budgets
from nas_kd.errors import InvalidSpec, Unusable
from nas_kd.space.first import default_sample
from nas_kd.space.resolve import resolve
from nas_kd.spec import StudySpec
from nas_kd.students import FAMILIES, build
from nas_kd.students.decode import cost, decode, fits, larger
from nas_kd.students.family import StudentConfig
from nas_kd.students.scaled import scaled

PICTURE = (3, 32, 32)


class Normalising(nn.Module):
    """A network with constants of its own, one of them not in its state."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.25]))
        self.register_buffer("scale", torch.tensor([4.0]), persistent=False)
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(8, classes),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.body((images - self.mean) * self.scale)
        return logits


def student(name: str, width: int, depth: int | None = None, classes: int = 7) -> StudentConfig:
    family = FAMILIES[f"torchvision:{name}"]
    depth = depth or family.default_depth
    return StudentConfig(f"torchvision:{name}", PICTURE, classes, depth, (width,))


@pytest.mark.parametrize(("name", "width"), [("resnet18", 512), ("mobilenet_v2", 1280)])
def test_at_its_own_width_and_depth_it_is_the_network_itself(name: str, width: int) -> None:
    theirs = models.get_model(name, num_classes=1000).state_dict()
    mine = build(student(name, width, classes=1000)).state_dict()
    assert {n: v.shape for n, v in mine.items()} == {n: v.shape for n, v in theirs.items()}


NETWORKS = ["resnet18", "resnet50", "resnext50_32x4d", "vgg11_bn", "mobilenet_v2",
            "mobilenet_v3_small", "efficientnet_b0", "densenet121", "shufflenet_v2_x1_0",
            "squeezenet1_1", "regnet_y_400mf", "mnasnet0_5"]  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("width", [5, 21, 64])
def test_any_width_holds_sums_and_concatenations_together(name: str, width: int) -> None:
    for depth in {1, FAMILIES[f"torchvision:{name}"].default_depth}:
        network = build(student(name, width, depth))
        logits = network(torch.randn(4, *PICTURE))
        assert logits.shape == (4, 7)
        logits.sum().backward()
        assert all(value.grad is not None for value in network.parameters())


def test_a_narrower_network_has_its_share_of_every_width() -> None:
    network = build(student("resnet18", 128))
    widths = [part.out_channels for part in network.modules() if isinstance(part, nn.Conv2d)]
    assert sorted(set(widths)) == [16, 32, 64, 128]


def test_statistics_of_norms_settle_in_a_short_training() -> None:
    assert models.mobilenet_v3_small().features[0][1].momentum == 0.01
    norms = [m for m in build(student("mobilenet_v3_small", 9)).modules()
             if isinstance(m, nn.BatchNorm2d)]  # fmt: skip
    assert {norm.momentum for norm in norms} == {0.1}


def test_depth_is_the_most_blocks_of_a_stage() -> None:
    assert FAMILIES["torchvision:resnet34"].depths == range(1, 7)
    counted = [
        [len(getattr(build(student("resnet34", 16, depth)), f"layer{n}")) for n in (1, 2, 3, 4)]
        for depth in (1, 2, 4, 6)
    ]
    assert counted == [[1, 1, 1, 1], [2, 2, 2, 2], [3, 4, 4, 3], [3, 4, 6, 3]]


@pytest.mark.parametrize("width", [5, 12])
def test_group_and_layer_norms_of_a_signals_network_are_narrowed_too(width: int) -> None:
    def make(classes: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv1d(2, 16, 3), nn.GroupNorm(4, 16), nn.ReLU(), nn.Conv1d(16, 24, 3),
            nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.LayerNorm(24), nn.Linear(24, classes),
        )  # fmt: skip

    network = scaled("mine", make).build(StudentConfig("mine", (3, 32), 4, 1, (width,)))
    logits = network(torch.randn(2, 3, 32))
    assert logits.shape == (2, 4)
    assert logits.isfinite().all()
    assert isinstance(network[6], nn.LayerNorm)
    assert network[6].normalized_shape == (width,)


def test_the_data_give_the_first_layer_its_channels() -> None:
    config = StudentConfig("torchvision:resnet18", (1, 28, 28), 4, 2, (32,))
    assert build(config)(torch.randn(2, 1, 28, 28)).shape == (2, 4)


@pytest.mark.parametrize("budget", ["8k", "60k", "2M macs", "100kB"])
def test_it_fills_any_budget(budget: str) -> None:
    budgets = parse_budgets([budget])
    sample = {"family": "torchvision:resnet18", "depth": 2, "width": 1.0, "taper": 1.0}
    config = decode(sample, budgets, PICTURE, 10)
    assert 0.7 * budgets[0].bound < cost(config, budgets[0]) <= budgets[0].bound
    assert not any(fits(neighbour, budgets) for neighbour in larger(config, 1))


def test_a_seed_draws_the_same_weights_whether_the_network_was_made_before() -> None:
    config = student("mnasnet0_75", 32)
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(build(config).state_dict())
    assert all(torch.equal(drawn[0][name], value) for name, value in drawn[1].items())


def test_a_network_that_answers_more_than_logits_is_refused() -> None:
    sample = {"family": "torchvision:googlenet", "depth": 1, "width": 1.0, "taper": 1.0}
    with pytest.raises(Unusable, match="it answers GoogLeNetOutputs, not logits"):
        decode(sample, parse_budgets(["20k"]), (3, 64, 64), 10)


def test_a_family_of_one_depth_is_compared_with_others_at_any() -> None:
    spec = StudySpec.create({"budget": "20k", "family": ["cnn", "torchvision:squeezenet1_1"]})
    space = resolve(spec, parse_budgets(spec.budget), PICTURE, 10)
    assert space.families == spec.family
    assert space.depth == (1, 6)
    assert default_sample(space, "torchvision:squeezenet1_1")["depth"] == 1


def test_a_least_depth_is_that_of_the_family_that_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "deeper", replace(FAMILIES["cnn"], depths=range(2, 5)))
    spec = StudySpec.create({"budget": "20k", "family": ["cnn", "deeper"]})
    assert resolve(spec, parse_budgets(spec.budget), PICTURE, 10).depth == (2, 4)


def test_the_teacher_itself_can_be_the_family() -> None:
    taught = {"budget": "20k", "teacher": "torchvision:resnet18", "family": ["cnn", "teacher"]}
    assert StudySpec.create(taught).family == ("cnn", "torchvision:resnet18")
    with pytest.raises(InvalidSpec, match="the one that is trained is a wide cnn"):
        StudySpec.create({"budget": "20k", "family": "teacher"})


@pytest.mark.slow
def test_a_teacher_of_ones_own_is_searched_narrower_exported_and_scored(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])

    def run(*words: str) -> str:
        command = [sys.executable, "-c", "from nas_kd.cli import main; main()", *words]
        environment = os.environ | {"PYTHONPATH": root, "COLUMNS": "200"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    (tmp_path / "nets.py").write_text(TEACHER)
    run("search", "--budget", "1k", "--data", "digits", "--teacher", "nets:teacher", "--family",
        "teacher", "--trials", "3", "--epochs", "2", "--workers", "1", "--study", "s")  # fmt: skip
    run("export", "s", "--onnx", "--trust")
    assert "examples, digits test" in run("evaluate", "s/best", "--trust")


TEACHER = """
from sklearn.datasets import load_digits
import torch
from torch import nn

def teacher():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
                        nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
                        nn.Flatten(), nn.Linear(128, 10))
    data, labels = load_digits(return_X_y=True)
    pictures = torch.tensor(data, dtype=torch.float32).view(-1, 1, 8, 8) / 6 - 0.8
    steps = torch.optim.AdamW(net.parameters(), 0.01)
    for _ in range(30):
        loss = nn.functional.cross_entropy(net(pictures), torch.tensor(labels))
        steps.zero_grad()
        loss.backward()
        steps.step()
    return net
"""


def test_constants_in_buffers_are_kept() -> None:
    family = scaled("mine:Normalising", Normalising)
    config = StudentConfig("mine:Normalising", (1, 8, 8), 3, 1, (4,))
    with torch.device("meta"):
        family.build(config)
    for _ in range(2):
        network = family.build(config)
        assert (network.mean.tolist(), network.scale.tolist()) == ([0.25], [4.0])
        assert network(torch.zeros(2, 1, 8, 8)).isfinite().all()
