"""Outputs, sizes and normalisations of other people's teachers."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableTeacher
from nas_kd.teachers.adapting import Adapted, TeacherInput, choose, prepare
from nas_kd.teachers.networks import converted

LOGITS, FEATURES = torch.randn(4, 10), torch.randn(4, 32)


class Named(NamedTuple):
    logits: Tensor
    features: Tensor


@dataclass
class Output:
    features: Tensor
    logits: Tensor
    loss: None = None


@pytest.mark.parametrize(
    "found",
    [
        LOGITS,
        (LOGITS, FEATURES),
        [FEATURES, LOGITS],
        {"features": FEATURES, "out": LOGITS},
        Named(LOGITS, FEATURES),
        Output(FEATURES, LOGITS),
    ],
    ids=lambda found: type(found).__name__,
)
def test_the_one_output_that_is_logits_is_found(found: Any) -> None:
    assert torch.equal(choose(found, 4, 10, None, "teacher"), LOGITS)


def test_of_several_outputs_the_named_one_counts() -> None:
    found = {"main": LOGITS, "aux": LOGITS + 1, "features": FEATURES}
    with pytest.raises(UnusableTeacher, match="has 2 outputs") as caught:
        choose(found, 4, 10, None, "teacher")
    for part in ("main (4, 10)", "aux (4, 10)", "features (4, 32)", "--teacher-output NAME"):
        assert part in str(caught.value)
    assert torch.equal(choose(found, 4, 10, "aux", "teacher"), LOGITS + 1)
    assert torch.equal(choose((LOGITS, LOGITS + 1), 4, 10, "1", "teacher"), LOGITS + 1)
    with pytest.raises(UnusableTeacher, match="no output 'features'"):
        choose(found, 4, 10, "features", "teacher")


@pytest.mark.parametrize("found", [FEATURES, {"a": FEATURES[0]}, "text", None])
def test_an_output_without_logits_lists_what_there_is(found: Any) -> None:
    with pytest.raises(UnusableTeacher, match=r"\[B, 10\]"):
        choose(found, 4, 10, None, "teacher")


def test_a_teacher_of_other_classes_than_the_data_names_both_numbers() -> None:
    found = (torch.randn(4, 7), torch.randn(4, 5, 3))
    with pytest.raises(UnusableTeacher, match=r"answers 7 values .* the data has 10 classes"):
        choose(found, 4, 10, None, "teacher")


class Gives(nn.Module):
    """Answers with what it was made with."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: Tensor) -> Tensor:
        return self.answer


class Summing(nn.Module):
    """Gives probabilities, or logits that sum to one where the first pixel is bright."""

    def __init__(self, probabilities: bool) -> None:
        super().__init__()
        self.probabilities = probabilities

    def forward(self, images: Tensor) -> Tensor:
        logits_BC = images.flatten(1)[:, :10].float()
        if self.probabilities:
            return logits_BC.softmax(-1)
        bright = images[:, 0, 4, 4] > 1
        return torch.where(bright[:, None], logits_BC.softmax(-1), logits_BC)


def test_whether_a_teacher_gives_probabilities_is_decided_once(digits: TransferSet) -> None:
    for given in (True, False):
        network = Adapted(Summing(given), TeacherInput(), 10, "teacher")
        notes = converted(network, digits)
        assert any("probabilities" in note for note in notes) == given
        images = torch.randn(400, 1, 8, 8)
        answers = network(images)
        by_one = torch.cat([network(image[None]) for image in images])
        torch.testing.assert_close(answers, by_one)
        expected = images.flatten(1)[:, :10].softmax(-1).log() if given else network.network(images)
        torch.testing.assert_close(answers, expected)


def test_the_teacher_gets_its_own_size_normalisation_and_colours() -> None:
    pixels = torch.randint(0, 256, (2, 1, 8, 8)).float()
    mean, std = (100.0,), (50.0,)
    as_data = (pixels - 100) / 50
    expects = TeacherInput(size=16, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3), colour=True,
                    data_mean=mean, data_std=std)  # fmt: skip
    given = prepare(as_data, expects)
    assert given.shape == (2, 3, 16, 16)
    plain = prepare(as_data, TeacherInput(mean=(0.0,), std=(1.0,), data_mean=mean, data_std=std))
    torch.testing.assert_close(plain, pixels / 255)
    expected = (pixels / 255 - 0.4) / 0.2
    whole = prepare(as_data, TeacherInput(mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3), colour=True,
                                    data_mean=mean, data_std=std))  # fmt: skip
    torch.testing.assert_close(whole[:, 1], expected[:, 0])
    assert torch.equal(prepare(as_data, TeacherInput()), as_data)
