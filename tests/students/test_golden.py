"""Sizes that papers and other libraries print."""

import pytest
import torch
import torchvision

from nas_kd.costs.counting import measure
from nas_kd.students import build
from nas_kd.students.decode import counts
from nas_kd.students.family import StudentConfig


def test_resnet_20_with_padded_shortcuts_is_he_and_others_resnet_20() -> None:
    size = counts(StudentConfig("resnet", (3, 32, 32), 10, 9, (16, 32, 64),
                                options={"shortcut": "pad"}))  # fmt: skip
    assert size.parameters == 269_722
    assert size.macs == pytest.approx(40.8e6, rel=0.01)


def test_resnet_20_with_convolved_shortcuts_for_cifar_100() -> None:
    assert counts(StudentConfig("resnet", (3, 32, 32), 100, 9, (16, 32, 64))).parameters == 278_324


@pytest.mark.parametrize("shortcut", ["conv", "pad"])
def test_the_closed_form_is_what_the_residual_network_counts(shortcut: str) -> None:
    config = StudentConfig("resnet", (3, 32, 32), 10, 9, (16, 32, 64),
                           options={"shortcut": shortcut})  # fmt: skip
    size = counts(config)
    network = build(config)
    assert (size.parameters, size.macs) == measure(network, config.input_shape)
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [("resnet18", 11_689_512, 1.81e9), ("mobilenet_v2", 3_504_872, 0.30e9)],
)
def test_torchvisions_networks_count_what_they_are_known_for(
    name: str, parameters: int, macs: float
) -> None:
    with torch.device("meta"):
        network = torchvision.models.get_model(name)
    found, operations = measure(network, (3, 224, 224))
    assert found == parameters
    assert operations == pytest.approx(macs, rel=0.01)


def test_attention_is_counted_in_eval_mode_too() -> None:
    network = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    network.eval()
    counted = measure(network, (5, 8))[1]
    network.train()
    assert counted == measure(network, (5, 8))[1]
    projections = 5 * (4 * 8 * 8 + 2 * 8 * 16)
    assert counted >= projections
