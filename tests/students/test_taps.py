"""Where the maps of a network shrink."""

import pytest
import torch
from torch import nn
from torchvision import models

from nas_kd.students.family import StudentConfig
from nas_kd.students.taps import find_taps, listening, taps_of

PICTURE = (3, 32, 32)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (StudentConfig("cnn", PICTURE, 10, 4, (4, 6, 8, 8)), [(4, (16, 16)), (8, (8, 8)), (8, ())]),
        (StudentConfig("cnn", (1, 8, 8), 10, 2, (4, 6)), [(6, (8, 8)), (6, ())]),
        (StudentConfig("cnn", (2, 64), 10, 3, (4, 6, 8)), [(4, (32,)), (8, (16,)), (8, ())]),
        (StudentConfig("mlp", PICTURE, 10, 3, (9, 8, 7)), [(9, ()), (8, ()), (7, ())]),
        (StudentConfig("mlp", (12,), 3, 1, (5,)), [(5, ())]),
        (StudentConfig("resnet", PICTURE, 10, 3, (4, 5, 6)),
         [(4, (32, 32)), (5, (16, 16)), (6, (8, 8)), (6, ())]),
        (StudentConfig("mobilenet", PICTURE, 10, 4, (4, 6, 8, 9), options={"squeeze_excite": True}),
         [(4, (16, 16)), (9, (8, 8)), (9, ())]),
        (StudentConfig("torchvision:resnet18", (3, 64, 64), 10, 2, (32,)),
         [(4, (32, 32)), (4, (16, 16)), (8, (8, 8)), (16, (4, 4)), (32, (2, 2)), (32, ())]),
    ],
    ids=lambda one: one.family if isinstance(one, StudentConfig) else "",
)  # fmt: skip
def test_a_tap_is_the_last_of_each_size(
    config: StudentConfig, expected: list[tuple[int, tuple[int, ...]]]
) -> None:
    assert [(tap.channels, tap.sides) for tap in taps_of(config)] == expected


class Twice(nn.Module):
    """One pooling layer that works twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 6, 3)
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(6 * 25, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        once = self.pool(self.first(images))
        found: torch.Tensor = self.head(self.pool(self.second(once)).flatten(1))
        return found


def test_a_module_that_works_twice_is_no_tap() -> None:
    network = Twice()
    taps = find_taps(network, lambda: network(torch.zeros(2, 1, 28, 28)), 2)
    assert [(tap.name, tap.sides) for tap in taps] == [("first", (26, 26)), ("second", (11, 11))]


@pytest.mark.parametrize(
    ("name", "stages"),
    [("squeezenet1_1", 4), ("convnext_tiny", 5), ("vit_b_32", 1), ("densenet121", 6)],
)
def test_other_layouts_and_the_logits_are_no_maps(name: str, stages: int) -> None:
    with torch.device("meta"):
        network = models.get_model(name, weights=None).eval()
        taps = find_taps(network, lambda: network(torch.empty(2, 3, 224, 224)), 2)
    sizes = [tap.sides for tap in taps if tap.sides]
    assert len(sizes) <= stages
    assert all(one[0] == one[1] for one in sizes), taps
    assert all(tap.channels != 1000 for tap in taps)


def test_what_a_tap_gives_is_listened_to_and_then_no_more() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    taps = find_taps(network, lambda: network(torch.zeros(2, 1, 8, 8)), 2)
    assert [(tap.name, tap.channels, tap.sides) for tap in taps] == [
        ("1", 4, (6, 6)), ("2", 144, ()),
    ]  # fmt: skip
    examples = torch.randn(5, 1, 8, 8)
    with listening(network, ["1"]) as given:
        network(examples)
        assert torch.equal(given["1"], network[:2](examples))
    network(examples[:1])
    assert len(given["1"]) == 5
