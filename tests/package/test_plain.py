"""student.py: networks written down as plain PyTorch."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas_kd.errors import Unusable
from nas_kd.package.plain import answers_of, plain
from nas_kd.package.write import as_plain
from nas_kd.students.family import StudentConfig
from tests.students.quantised.networks import configs, made, named

INPUT = {"mean": [0.0], "std": [1.0]}


def written(network: nn.Module, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """What a network and its written form answer."""
    config = StudentConfig("mlp", shape, 5, 1, (1,))
    inputs = torch.randn(20, *shape)
    facts = {"mean": [0.0] * shape[0], "std": [1.0] * shape[0]}
    with torch.no_grad():
        found = answers_of(plain(network, config), network.state_dict(), facts, inputs)
        return found, network(inputs)


@pytest.mark.parametrize("config", list(configs(((1, 9, 7), (2, 120), (17,)))), ids=named)
def test_every_family_is_written_as_it_computes(config: StudentConfig) -> None:
    found, wanted = written(made(config), config.input_shape)
    torch.testing.assert_close(found, wanted)


class Mixed(nn.Module):
    """Has what is not a plain chain of layers, and a layer that nobody calls."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv1d(2, 6, 3, padding=1), nn.Conv1d(2, 6, 1)
        self.unused, self.last = nn.Linear(3, 3), nn.Linear(12, 5)

    def forward(self, maps: Tensor) -> Tensor:
        left, right = functional.relu(self.one(maps)), torch.add(self.two(maps), other=maps[:, :1])
        together = torch.cat([left, right * 0.5], dim=1).mean(dim=-1)
        return self.last(together.view(together.size(0), -1))


def test_what_torch_has_is_written_too() -> None:
    found, wanted = written(Mixed().eval(), (2, 12))
    torch.testing.assert_close(found, wanted)


class Weighing(nn.Module):
    """Has a weight that no layer holds."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5))

    def forward(self, rows: Tensor) -> Tensor:
        return rows * self.weight


def test_what_cannot_be_written_says_why_and_is_not_written() -> None:
    config = StudentConfig("mlp", (5,), 5, 1, (1,))
    with pytest.raises(Unusable, match="cannot be written as plain PyTorch: weight"):
        plain(Weighing(), config)
    inputs = torch.randn(4, 5)
    text, why = as_plain(nn.Sequential(nn.Linear(5, 5)), config, {"input": INPUT}, inputs, inputs)
    assert not text
    assert why.endswith("it would give other logits")


def test_the_text_is_python_of_short_lines(tmp_path: Path) -> None:
    config = next(configs(((17,),)))
    text = plain(made(config), config)
    compile(text, "student.py", "exec")
    assert "self.layer_1 = nn.Linear(in_features=17" in text
    assert "x = self.layer_1(x)" in text
