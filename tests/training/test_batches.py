"""How examples are laid out in memory."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nas_kd.students import build
from nas_kd.students.family import StudentConfig
from nas_kd.training import memory_format


def resnet(*channels: int, shortcut: str = "conv") -> StudentConfig:
    return StudentConfig("resnet", (3, 32, 32), 10, 3, channels, options={"shortcut": shortcut})


@pytest.mark.parametrize(
    ("student", "layout"),
    [
        (resnet(16, 20, 24), torch.channels_last),
        (resnet(4, 13, 20), torch.contiguous_format),
        (resnet(4, 13, 20, shortcut="pad"), torch.channels_last),
    ],
)
def test_a_narrow_strided_1x1_convolution_keeps_a_network_in_the_plain_layout(
    student: StudentConfig, layout: torch.memory_format
) -> None:
    assert memory_format(build(student), [student]) == layout


def test_only_a_gradient_with_too_few_channels_is_avoided() -> None:
    for channels, kernel, stride, layout in (
        (15, 1, 2, torch.contiguous_format),
        (16, 1, 2, torch.channels_last),
        (15, 1, 1, torch.channels_last),
        (15, 3, 2, torch.channels_last),
    ):
        assert memory_format(nn.Conv2d(channels, 32, kernel, stride)) == layout


def test_a_student_that_once_ended_its_process_is_trained() -> None:
    student = resnet(4, 13, 20)
    network = build(student)
    layout = memory_format(network, [student])
    for _ in range(20):
        images_BCHW = torch.randn(64, *student.input_shape).to(memory_format=layout)
        cross_entropy(network(images_BCHW), torch.zeros(64, dtype=torch.long)).backward()
    assert all(value.grad is not None for value in network.parameters())
