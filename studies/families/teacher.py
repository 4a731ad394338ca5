"""The study's teacher, for `--teacher teacher:given`: the network that nas-kd trains when it is
given none, so that one training serves all studies."""

from torch import nn

from nas_kd.teachers.network import wide


def given() -> nn.Module:
    """The wide network for pictures of 3 x 32 x 32 and 10 classes."""
    return wide((3, 32, 32), 10, width=32)
