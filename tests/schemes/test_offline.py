"""Where the target of an example comes from."""

import torch

from nas_kd.schemes import SCHEMES


def test_the_answer_is_to_the_view_in_which_the_example_is_seen() -> None:
    logits_VNC = torch.arange(3 * 5 * 2, dtype=torch.float32).reshape(3, 5, 2)
    for epoch in range(4):
        target_NC = SCHEMES["offline"](logits_VNC, epoch)
        for i in range(5):
            assert torch.equal(target_NC[i], logits_VNC[(epoch + i) % 3, i])


def test_without_views_the_answers_are_the_same_in_each_epoch() -> None:
    logits_VNC = torch.randn(1, 5, 2)
    assert torch.equal(SCHEMES["offline"](logits_VNC, 7), logits_VNC[0])
