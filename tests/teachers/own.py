"""Teachers of a user, good and bad."""

import torch
from torch import Tensor, nn

from nas_kd.teachers.network import wide


def small() -> nn.Module:
    return wide((1, 8, 8), 10, 4)


def eight_wide() -> nn.Module:
    return wide((1, 8, 8), 10, 8)


def seven_classes() -> nn.Module:
    return wide((1, 8, 8), 7, 4)


def colour() -> nn.Module:
    return wide((3, 8, 8), 10, 4)


def guessing() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def a_number() -> int:
    return 3


def needs_an_argument(classes: int) -> nn.Module:
    return wide((1, 8, 8), classes, 4)


class NotFinite(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.full((len(images), 10), torch.nan)


def not_finite() -> nn.Module:
    return NotFinite()


class Restless(nn.Module):
    """Counts its calls in a buffer, in eval mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return images.flatten(1)[:, :10]


def restless() -> nn.Module:
    return Restless()
