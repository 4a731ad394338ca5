"""Students of 8 bits in training: scored in integers, packed as ever, and trained with rounding."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load

from nas_kd.data.signals import Signals
from nas_kd.data.transfer import TransferSet
from nas_kd.students import build
from nas_kd.students.family import StudentConfig
from nas_kd.students.quantised import lowered, planned, ranges_of
from nas_kd.students.quantised.aware import RANGE, aware, ranges_in
from nas_kd.training import Member, RungJob, TrainSettings, run_rung, weights
from nas_kd.training.batches import normaliser
from nas_kd.training.calibration import calibration_examples
from nas_kd.training.quantising import answered, program_of
from tests.students.quantised.networks import MEAN, STD, drawn, every, made, normalised
from tests.training.test_cohort import PACKING, job, member, settings_of, several, signals

__all__ = ["signals"]

EIGHT = StudentConfig("cnn", (1, 8, 8), 10, 3, (8, 12, 16), bits=8)
AWARE = TrainSettings(epochs=4, batch=16, qat=True)


def eight(**changes: Any) -> Member:
    """A student of 8 bits."""
    return member(config=EIGHT, **changes)


def in_8_bits(members: list[Member]) -> list[Member]:
    """The same students in 8 bits."""
    return [replace(one, config=replace(one.config, bits=8)) for one in members]


def test_a_student_of_8_bits_is_trained_as_one_of_32_and_scored_in_integers(
    digits: TransferSet, signals: Signals
) -> None:
    whole = run_rung(job(digits, signals, member()))[0]
    found = run_rung(job(digits, signals, eight()))[0]
    mine, theirs = load(found.checkpoint), load(whole.checkpoint)
    trained = [name for name in theirs if name.startswith(("model.", "exp_"))]
    assert all(torch.equal(mine[name], theirs[name]) for name in trained)
    assert not torch.equal(mine["proof"], theirs["proof"])
    network = build(EIGHT).eval()
    network.load_state_dict(weights(found.checkpoint))
    logits = answered(program_of(network, digits, mine["ranges"]), digits, digits.validation)
    assert torch.equal(logits[:64], mine["proof"])
    truth = digits.labels.open()[slice(*digits.validation)]
    assert (logits.argmax(1).numpy() == truth).mean() == pytest.approx(found.accuracy)
    assert (found.answers[:, 0] == logits.argmax(1).numpy()).all()


def test_its_ranges_are_those_of_the_calibration_examples(
    digits: TransferSet, signals: Signals
) -> None:
    found = run_rung(job(digits, signals, eight()))[0]
    network = build(EIGHT).eval()
    network.load_state_dict(weights(found.checkpoint))
    plan = planned(network, EIGHT.input_shape)
    normalise = normaliser(digits, torch.contiguous_format)
    wanted = ranges_of(plan, map(normalise, calibration_examples(digits, 0)))
    assert torch.equal(load(found.checkpoint)["ranges"], wanted)


@pytest.mark.parametrize("family", PACKING)
def test_packed_students_of_8_bits_answer_as_they_do_alone(
    family: str, digits: TransferSet, signals: Signals
) -> None:
    members = in_8_bits(several(family))
    settings = TrainSettings(epochs=2, batch=64)
    packed = run_rung(job(digits, signals, *members, settings=settings, stop=1))
    for one, result in zip(members, packed, strict=True):
        alone = run_rung(job(digits, signals, one, settings=settings, stop=1))[0]
        same = np.mean(result.answers[:, 0] == alone.answers[:, 0])
        assert same > 0.97
        assert "ranges" in load(result.checkpoint)


def test_a_cohort_may_have_students_of_both(digits: TransferSet, signals: Signals) -> None:
    whole, quantised = several("cnn")[0], in_8_bits(several("cnn"))[0]
    both = run_rung(job(digits, signals, whole, replace(quantised, trial=9)))
    assert [("ranges" in load(one.checkpoint)) for one in both] == [False, True]
    assert abs(both[0].accuracy - both[1].accuracy) < 0.05


def test_a_student_whose_loss_broke_is_at_fault_in_8_bits_too(
    digits: TransferSet, signals: Signals
) -> None:
    found = run_rung(job(digits, signals, eight(learning_rate=1e30)))[0]
    assert found.fault
    assert found.accuracy == 0


@pytest.mark.parametrize("config", list(every()))
def test_a_network_that_rounds_computes_what_the_integers_do(config: StudentConfig) -> None:
    network = made(config)
    twin, shape = copy.deepcopy(network), config.input_shape
    rounding = aware(network, shape).train()
    names = {name for name, _ in rounding.named_parameters()}
    assert names == {name for name, _ in twin.named_parameters()}
    examples = drawn(shape, 256)
    for _ in range(3):
        rounding(normalised(examples)).square().mean().backward()
    assert all(value.grad is not None for value in rounding.parameters())
    rounding.eval()
    state = {n: v for n, v in rounding.state_dict().items() if not n.startswith(RANGE)}
    twin.load_state_dict(state)
    program = lowered(planned(twin.eval(), shape), ranges_in(rounding), (MEAN,) * shape[0],
                      (STD,) * shape[0])  # fmt: skip
    with torch.no_grad():
        found, plain = rounding(normalised(examples)), twin(normalised(examples))
    integers = program(examples)
    off, rounded_off = ((one - integers).abs().mean() for one in (found, plain))
    assert float(off) < float(rounded_off) + 1e-6
    assert float(off) < 0.04 * float(integers.std())


def aware_job(data: TransferSet, signals: Signals, one: Member, **changes: Any) -> RungJob:
    """A job that trains with rounding."""
    return job(data, signals, one, settings=AWARE, **changes)


def test_training_with_rounding_learns_and_is_scored_by_its_own_ranges(
    digits: TransferSet, signals: Signals
) -> None:
    plain = run_rung(job(digits, signals, eight()))[0]
    found = run_rung(aware_job(digits, signals, eight()))[0]
    assert found.accuracy > 0.8
    assert found.checkpoint != plain.checkpoint
    kept = load(found.checkpoint)
    assert {name for name in kept if name.startswith("model.")} == {
        name for name in load(plain.checkpoint) if name.startswith("model.")
    }
    highs = [float(kept[n]) for n in kept if n.startswith("range.") and n.endswith(".high")]
    assert sorted(highs) == sorted(kept["ranges"][:, 1].tolist())


def test_training_with_rounding_goes_on_from_a_rung_as_if_it_had_not_stopped(
    digits: TransferSet, signals: Signals
) -> None:
    whole = run_rung(aware_job(digits, signals, eight()))[0]
    half = run_rung(aware_job(digits, signals, eight(), stop=1))[0]
    going_on = eight(checkpoint=half.checkpoint)
    rest = run_rung(aware_job(digits, signals, going_on, start=1))[0]
    assert rest.checkpoint == whole.checkpoint


def test_a_student_of_32_bits_does_not_round(digits: TransferSet, signals: Signals) -> None:
    settings = settings_of(4.0, 0.9, 0.02)
    assert member().settings == settings
    rounded = run_rung(aware_job(digits, signals, member()))[0]
    assert rounded.checkpoint == run_rung(job(digits, signals, member()))[0].checkpoint
