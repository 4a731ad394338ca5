"""A class of the user's as a family."""

import sys
from pathlib import Path

import pytest

from nas_kd.costs.budgets import parse_budgets
from nas_kd.errors import InvalidSpec
from nas_kd.spec import StudySpec
from nas_kd.students.decode import cost, decode, fits, larger

MINE = """
import torch
from torch import nn
from nas_kd import Widths

class Net(nn.Module):
    widths = Widths(classes="outputs", depths=range(1, 3), depth=2)

    def __init__(self, channels, outputs):
        super().__init__()
        layers, fan_in = [], 1
        for width in channels:
            layers += [nn.Conv2d(fan_in, width, 3, 2, 1), nn.ReLU()]
            fan_in = width
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(fan_in, outputs)

    def forward(self, images):
        return self.head(self.body(images))

class Plain(nn.Module):
    pass

class Wants(nn.Module):
    def __init__(self, channels):
        super().__init__()

class Odd(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 4))
        self.scale = nn.Parameter(torch.ones(4))

def number():
    return 7
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with two classes, in the current folder."""
    (tmp_path / "mynets.py").write_text(MINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mynets", raising=False)
    return tmp_path


@pytest.mark.usefixtures("mine")
def test_a_class_that_names_its_widths_fills_a_budget() -> None:
    sample = {"family": "mynets:Net", "depth": 2, "width": 1.0, "taper": 1.5}
    budgets = parse_budgets(["2k"])
    config = decode(sample, budgets, (1, 8, 8), 10)
    assert 1900 < cost(config, budgets[0]) <= 2000
    assert not any(fits(neighbour, budgets) for neighbour in larger(config, 1))


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mynets:Plain", "has no layers"),
        ("mynets:Wants", "cannot be made .*missing 1 required positional argument"),
        ("mynets:number", "returns int, not an nn.Module"),
        ("mynets:Odd", "has 'scale' outside of its layers"),
        ("torchvision:vit_b_16", "has 'class_token' outside of its layers"),
        ("torchvision:resnet19", "is no model of torchvision.* Did you mean 'resnet18'"),
        ("mynets:Nothing", "cannot be imported"),
        ("nowhere:Net", "cannot be imported"),
    ],
)
def test_a_class_that_cannot_be_a_family_says_why(name: str, message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        StudySpec.create({"budget": "2k", "family": name})
