"""The order of examples and the schedule."""

import pytest
import torch

from nas_kd.data.views import Views
from nas_kd.training import Schedule, loop, order
from nas_kd.training.loop import looking


def test_the_order_of_examples_comes_from_the_study_seed_and_the_epoch() -> None:
    def drawn(seed: int, epoch: int) -> list[int]:
        return torch.cat(list(order(seed, epoch, 100, 32))).tolist()

    assert sorted(drawn(0, 0)) == list(range(100))
    assert drawn(0, 0) == drawn(0, 0)
    assert drawn(0, 0) != drawn(0, 1)
    assert drawn(0, 0) != drawn(1, 0)
    assert [len(part) for part in order(0, 0, 100, 32)] == [25, 25, 25, 25]


def test_the_schedule_rises_to_its_peak_and_falls_to_nothing() -> None:
    shares = [Schedule(epochs=1, batch=1).share(step, 100) for step in range(101)]
    assert shares[20] == pytest.approx(1)
    assert shares[:21] == sorted(shares[:21])
    assert shares[20:] == sorted(shares[20:], reverse=True)
    assert shares[100] == pytest.approx(0)


def test_a_large_set_is_seen_in_the_same_views_batch_by_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examples = torch.randint(0, 255, (20, 1, 6, 6), dtype=torch.uint8)
    views, index = Views(4, shift=1, flip=True), torch.tensor([3, 19, 0, 7])
    for epoch in range(5):
        whole = looking(examples, views, torch.device("cpu"), epoch)(index)
        with monkeypatch.context() as patch:
            patch.setattr(loop, "LARGE", 1)
            pieces = looking(examples, views, torch.device("cpu"), epoch)(index)
        assert torch.equal(whole, pieces)
