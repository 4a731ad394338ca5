"""Budgets in natural words, and counting a network."""

import pytest
import torch
from torch import nn

from nas_kd.costs.budgets import COSTS, Budget, Counts, parse_budget, parse_budgets
from nas_kd.costs.counting import activations, measure
from nas_kd.errors import UnusableBudget

TEACHER = Counts(
    parameters=1000, macs=5000, weights=900, biases=100, activations=50, activations_int8=79
)


@pytest.mark.parametrize(
    ("text", "cost", "bound"),
    [
        ("20k", "parameters", 20_000),
        ("1.5M", "parameters", 1_500_000),
        ("20000 params", "parameters", 20_000),
        ("5M macs", "macs", 5_000_000),
        ("5Mmacs", "macs", 5_000_000),
        ("200kB", "bytes", 200_000),
        ("64KiB", "bytes", 65_536),
        ("32kB flash", "bytes", 32_000),
        ("800 bytes", "bytes", 800),
        ("16kB ram", "ram", 16_000),
        ("16 KiB ram", "ram", 16_384),
        ("25%", "parameters", 250),
        ("2ms", "microseconds", 2000),
        ("1.5 ms", "microseconds", 1500),
        ("300us", "microseconds", 300),
    ],
)
def test_a_budget_is_read_in_natural_words(text: str, cost: str, bound: float) -> None:
    assert parse_budget(text, teacher=1000) == Budget(cost, bound)


@pytest.mark.parametrize("text", ["", "k", "-5k", "0", "20 apples", "20kk", "1e3", "five"])
def test_a_budget_that_cannot_be_read_shows_how_to_write_one(text: str) -> None:
    with pytest.raises(UnusableBudget, match="Write 20k"):
        parse_budget(text, teacher=1000)


def test_memory_alone_bounds_no_student() -> None:
    with pytest.raises(UnusableBudget, match="Bound them too: --budget 20k --budget '16kB ram'"):
        parse_budgets(["16kB ram"])
    assert [budget.cost for budget in parse_budgets(["16kB ram", "20k"])] == ["ram", "parameters"]


def test_a_share_needs_a_teacher() -> None:
    with pytest.raises(UnusableBudget, match="teacher that is not known"):
        parse_budget("25%")


def test_one_kind_of_cost_is_bound_once() -> None:
    with pytest.raises(UnusableBudget, match="twice"):
        parse_budgets(["20k", "30k"])


def test_a_network_is_counted_without_being_trained() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * 8 * 8, 10)
    ).to("meta")
    parameters, macs = measure(network, (3, 8, 8))
    assert parameters == 3 * 4 * 9 + 4 + 256 * 10 + 10
    assert macs == 3 * 4 * 9 * 64 + 256 * 10


def test_bytes_count_weights_at_their_bits_and_what_each_channel_has() -> None:
    assert COSTS["bytes"](TEACHER, 32) == 4 * 900 + 4 * 100
    assert COSTS["bytes"](TEACHER, 8) == 900 + 8 * 100


def test_memory_in_8_bits_has_logits_as_floats_and_is_whole_floats() -> None:
    assert COSTS["ram"](TEACHER, 32) == 200
    assert COSTS["ram"](TEACHER, 8) == 80
    network = nn.Sequential(nn.Linear(8, 30), nn.ReLU(), nn.Linear(30, 10))
    assert activations(network, (8,)) == (40, 30 + 4 * 10)


def test_memory_is_the_same_however_a_relu_is_written() -> None:
    class Written(nn.Module):
        def __init__(self, relu: object) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1)
            self.relu = relu

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.two(self.relu(self.one(images)))  # type: ignore[operator]

    for relu in (nn.ReLU(), torch.nn.functional.relu, torch.relu, nn.GELU()):
        assert activations(Written(relu), (1, 8, 8)) == ((4 + 2) * 64, (4 + 4 * 2) * 64)


class Gated(nn.Module):
    """Multiplies maps by a few numbers, and reads the maps again."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 16, 1))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps + self.gate(maps) * maps


class Parted(nn.Module):
    """Goes on with one half of its maps beside the other."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 8, 1), nn.Conv2d(4, 64, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        kept, read = self.one(images).chunk(2, 1)
        return torch.cat([self.two(read), kept], 1)


class Functional(nn.Module):
    """Has a weight that no layer holds."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(10, 100))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(rows, self.weight)


@pytest.mark.parametrize(
    ("network", "shape", "least", "most"),
    [
        (Gated(), (16, 8, 8), 2 * 16 * 64 + 16, 3 * 16 * 64),
        (Parted(), (1, 8, 8), (4 + 4 + 64) * 64, 3 * 68 * 64),
        (Functional(), (100,), 110, 110),
    ],
)
def test_memory_is_never_counted_too_low_nor_are_weights_in_it(
    network: nn.Module, shape: tuple[int, ...], least: int, most: int
) -> None:
    assert least <= activations(network, shape)[0] <= most


def test_frozen_parameters_count_too() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3).requires_grad_(False), nn.Linear(3, 2))
    assert measure(network, (4,))[0] == 15 + 8
