"""A network as a user brings one: LeNet-5's shape for colour pictures, of 19,452 parameters.

LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition".
"""

from torch import nn


def lenet() -> nn.Module:
    """From [B, 3, 32, 32] to [B, 10] logits."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 38), nn.ReLU(), nn.Linear(38, 10),
    )  # fmt: skip
