"""The hot loop."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas_kd import training
from nas_kd.data.arrays import ArrayRef
from nas_kd.data.signals import Signals
from nas_kd.data.transfer import TransferSet, size
from nas_kd.students import FAMILIES
from nas_kd.students.family import Family, StudentConfig
from nas_kd.training import Member, RungJob, Schedule, TrainSettings, order, run_rung, weights


@pytest.fixture(scope="session")
def signals(digits: TransferSet, tmp_path_factory: pytest.TempPathFactory) -> Signals:
    """Answers of a teacher that is nearly right."""
    labels = digits.labels.open()[slice(*digits.train)]
    noise = np.random.default_rng(0).normal(size=(1, len(labels), 10))
    logits = (4 * np.eye(10)[labels] + noise).astype(np.float32)
    path = tmp_path_factory.mktemp("signals") / "logits.npy"
    return Signals("0" * 24, ArrayRef.save(logits, path))


def member(**changes: Any) -> Member:
    config = StudentConfig("cnn", (1, 8, 8), 10, 3, (8, 12, 16))
    return replace(Member(0, config, 4.0, 0.9, 0.02, "kl", seed=1), **changes)


def job(data: TransferSet, signals: Signals, *members: Member, **changes: Any) -> RungJob:
    settings = TrainSettings(epochs=4, batch=16, weight_decay=0.01)
    return replace(RungJob(members, data, signals, settings, 0, 0, 4), **changes)


def test_the_order_of_examples_comes_from_the_study_seed_and_the_epoch() -> None:
    def drawn(seed: int, epoch: int) -> list[int]:
        return torch.cat(list(order(seed, epoch, 100, 32))).tolist()

    assert sorted(drawn(0, 0)) == list(range(100))
    assert drawn(0, 0) == drawn(0, 0)
    assert drawn(0, 0) != drawn(0, 1)
    assert drawn(0, 0) != drawn(1, 0)
    assert [len(part) for part in order(0, 0, 100, 32)] == [25, 25, 25, 25]


def test_a_students_own_seed_draws_its_weights_and_nothing_else(
    digits: TransferSet, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[list[int]] = []

    def watched(*arguments: int) -> Iterator[torch.Tensor]:
        drawn = list(order(*arguments))
        orders.append(torch.cat(drawn).tolist())
        yield from drawn

    monkeypatch.setattr(training, "order", watched)
    one, other = run_rung(job(digits, signals, member(seed=1), member(seed=2)))
    assert orders[:4] == orders[4:]
    assert one.accuracy != other.accuracy


def test_students_learn_and_are_the_same_again(digits: TransferSet, signals: Signals) -> None:
    first, second = (run_rung(job(digits, signals, member()))[0] for _ in range(2))
    assert first.accuracy > 0.8
    assert replace(first, seconds=0) == replace(second, seconds=0)


def test_going_on_from_a_rung_is_the_same_as_never_having_stopped(
    digits: TransferSet, signals: Signals
) -> None:
    whole = run_rung(job(digits, signals, member()))[0]
    half = run_rung(job(digits, signals, member(), stop=1))[0]
    rest = run_rung(job(digits, signals, member(checkpoint=half.checkpoint), start=1))[0]
    assert rest.checkpoint == whole.checkpoint
    assert rest.accuracy == whole.accuracy


def test_the_teacher_matters(digits: TransferSet, signals: Signals) -> None:
    taught, alone = run_rung(job(digits, signals, member(), member(alpha=0.0)))
    assert taught.checkpoint != alone.checkpoint


def test_the_student_is_in_train_mode_at_each_step(
    digits: TransferSet, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[tuple[bool, bool]] = []

    def build(config: StudentConfig) -> nn.Module:
        network = FAMILIES["cnn"].build(config)
        network.register_forward_hook(
            lambda module, given, result: modes.append((module.training, torch.is_grad_enabled()))
        )
        return network

    cnn = FAMILIES["cnn"]
    monkeypatch.setitem(FAMILIES, "watched", Family(build, cnn.counts, 2, 1.0))
    config = replace(member().config, family="watched")
    run_rung(job(digits, signals, member(config=config)))
    steps = 4 * -(-size(digits.train) // 16)
    assert modes[:steps] == [(True, True)] * steps
    assert set(modes[steps:]) == {(False, False)}


def test_batch_norm_statistics_move(digits: TransferSet, signals: Signals) -> None:
    result = run_rung(job(digits, signals, member()))[0]
    means = [v for name, v in weights(result.checkpoint).items() if name.endswith("running_mean")]
    assert means
    assert all(mean.abs().max() > 0 for mean in means)


def test_a_loss_that_is_not_finite_is_the_students_fault(
    digits: TransferSet, signals: Signals
) -> None:
    result = run_rung(job(digits, signals, member(learning_rate=1e30)))[0]
    assert result.fault == "the loss was not finite by epoch 4"
    assert result.accuracy == 0.0


def test_decay_spares_norms_and_biases() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    decayed, spared = training.adamw(network, 0.1).param_groups
    assert [p.ndim for p in decayed["params"]] == [4, 2]
    assert {p.ndim for p in spared["params"]} == {1}
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)


def test_the_schedule_rises_to_its_peak_and_falls_to_nothing() -> None:
    schedule = Schedule(peak=0.1, epochs=1, batch=1)
    rates = [schedule.rate(step, 100) for step in range(101)]
    assert rates[30] == pytest.approx(0.1)
    assert rates[:31] == sorted(rates[:31])
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert rates[100] == pytest.approx(0)


def test_epochs_are_counted_for_whoever_watches(digits: TransferSet, signals: Signals) -> None:
    seen: list[int] = []
    run_rung(job(digits, signals, member(trial=7)), seen.append)
    assert seen == [7, 7, 7, 7]
