"""Students alone and packed, from one rung to the next."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load
from torch import nn

from nas_kd.costs.budgets import parse_budgets
from nas_kd.data.arrays import ArrayRef
from nas_kd.data.signals import Signals
from nas_kd.data.transfer import TransferSet, size
from nas_kd.students import FAMILIES
from nas_kd.students.decode import decode
from nas_kd.students.family import Family, StudentConfig
from nas_kd.training import Member, RungJob, TrainSettings, cohort, loop, order, run_rung, weights
from nas_kd.training.calibration import calibrated, calibration_examples
from nas_kd.training.checkpoints import ranked
from nas_kd.training.jobs import RungResult


@pytest.fixture(scope="session")
def signals(digits: TransferSet, tmp_path_factory: pytest.TempPathFactory) -> Signals:
    """Answers of a teacher that is nearly right, and takes each validation digit for the next."""
    labels = digits.labels.open()[slice(*digits.train)]
    noise = np.random.default_rng(0).normal(size=(1, len(labels), 10))
    logits = (4 * np.eye(10)[labels] + noise).astype(np.float32)
    folder = tmp_path_factory.mktemp("signals")
    answers = (digits.labels.open()[slice(*digits.validation)] + 1) % 10
    return Signals(
        "0" * 24,
        ArrayRef.save(logits, folder / "logits.npy"),
        ArrayRef.save(answers, folder / "answers.npy"),
    )


def in_float64(job: RungJob) -> tuple[RungResult, ...]:
    """A job's results without what `reproducible` sets: the default type of numbers above all."""
    unwrapped: Callable[[RungJob], tuple[RungResult, ...]] = run_rung.__wrapped__  # type: ignore[attr-defined]
    return unwrapped(job)


CPU = torch.device("cpu")

NAMES = ("temperature", "alpha", "learning_rate", "knowledge")


def settings_of(*values: float) -> dict[str, Any]:
    """A temperature, alpha and learning rate, as settings."""
    return dict(zip(NAMES, (*values, "kl"), strict=True))


def member(**changes: Any) -> Member:
    config = StudentConfig("cnn", (1, 8, 8), 10, 3, (8, 12, 16))
    settings = settings_of(4.0, 0.9, 0.02) | {n: changes.pop(n) for n in NAMES if n in changes}
    return replace(Member(0, config, settings, seed=1), **changes)


def job(data: TransferSet, signals: Signals, *members: Member, **changes: Any) -> RungJob:
    settings = TrainSettings(epochs=4, batch=16)
    plain = RungJob(members, data, signals, settings, 0, 0, 4, data.validation)
    return replace(plain, **changes)


def test_a_students_own_seed_draws_its_weights_and_nothing_else(
    digits: TransferSet, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[list[int]] = []

    def watched(*arguments: int) -> Iterator[torch.Tensor]:
        drawn = list(order(*arguments))
        orders.append(torch.cat(drawn).tolist())
        yield from drawn

    monkeypatch.setattr(loop, "order", watched)
    one = run_rung(job(digits, signals, member(seed=1)))[0]
    other = run_rung(job(digits, signals, member(seed=2)))[0]
    assert orders[:4] == orders[4:]
    assert one.checkpoint != other.checkpoint


def test_students_learn_and_are_the_same_again(digits: TransferSet, signals: Signals) -> None:
    first, second = (run_rung(job(digits, signals, member()))[0] for _ in range(2))
    assert first.accuracy > 0.8
    assert replace(first, seconds=0) == replace(second, seconds=0)


def test_the_answers_of_a_student_are_those_that_its_accuracy_counts(
    digits: TransferSet, signals: Signals
) -> None:
    test = run_rung(job(digits, signals, member(), judged=digits.test))[0]
    for result, rows in ((run_rung(job(digits, signals, member()))[0], digits.validation),
                         (test, digits.test)):  # fmt: skip
        labels_N = digits.labels.open()[slice(*rows)]
        assert (result.answers.shape, result.answers.dtype) == ((len(labels_N), 5), np.uint16)
        assert (result.answers[:, 0] == labels_N).mean() == pytest.approx(result.accuracy)
        assert all(len({*row}) == 5 for row in result.answers.tolist())


def test_of_equal_logits_the_first_answer_is_the_one_that_counts() -> None:
    logits_NC = torch.tensor([[1.0, 2, 2, 0, 0, 2], [3, 3, 3, 3, 3, 3], [0, 1, 2, 3, 4, 5]])
    answers_NK = ranked(logits_NC)
    assert answers_NK[:, 0].tolist() == logits_NC.argmax(-1).tolist()
    assert all(len({*row}) == 5 for row in answers_NK.tolist())
    assert answers_NK[2].tolist() == [5, 4, 3, 2, 1]
    assert ranked(logits_NC[:, :2]).tolist() == [[1, 0], [0, 1], [1, 0]]


def test_going_on_from_a_rung_is_the_same_as_never_having_stopped(
    digits: TransferSet, signals: Signals
) -> None:
    whole = run_rung(job(digits, signals, member()))[0]
    half = run_rung(job(digits, signals, member(), stop=1))[0]
    rest = run_rung(job(digits, signals, member(checkpoint=half.checkpoint), start=1))[0]
    assert rest.checkpoint == whole.checkpoint
    assert rest.accuracy == whole.accuracy


def test_the_teacher_matters(digits: TransferSet, signals: Signals) -> None:
    taught, alone = run_rung(job(digits, signals, member(), member(trial=1, alpha=0.0)))
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


def test_at_a_rung_batch_norms_use_the_statistics_of_training_examples_and_keep_their_own(
    digits: TransferSet, signals: Signals
) -> None:
    one = member(config=replace(member().config, channels=(4, 4, 4)))
    rung = run_rung(job(digits, signals, one, stop=1))[0]
    network = cohort.build_cohort([replace(one, checkpoint=rung.checkpoint)], CPU).network
    layout = torch.contiguous_format
    settled = loop.answer(network, digits, digits.validation, layout)
    with calibrated(network, digits, 0, layout):
        seen = loop.answer(network, digits, digits.validation, layout)
    right = (seen.argmax(-1) == labels(digits)).double().mean()
    assert rung.accuracy == float(right)
    assert not torch.allclose(seen, settled, atol=0.1)
    state = network.state_dict()
    assert all(torch.equal(v, state[name]) for name, v in weights(rung.checkpoint).items())
    assert all(norm.momentum == 0.1 for norm in norms(network))


def norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def test_the_statistics_at_a_rung_are_means_over_pieces_of_training_examples(
    digits: TransferSet,
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))
    pieces = [p.flatten(1).double() for p in calibration_examples(digits, seed=3)]
    train_NX = torch.from_numpy(digits.examples.open()[slice(*digits.train)].copy())
    assert sum(map(len, pieces)) == min(1024, size(digits.train))
    known = {row.numpy().tobytes() for row in train_NX.flatten(1).double()}
    assert all(row.numpy().tobytes() in known for piece in pieces for row in piece)
    scaled = [(piece - digits.mean[0]) / digits.std[0] for piece in pieces]
    with calibrated(network, digits, 3, torch.contiguous_format):
        mean = torch.stack([piece.mean(0) for piece in scaled]).mean(0)
        variance = torch.stack([piece.var(0) for piece in scaled]).mean(0)
        assert torch.allclose(network[1].running_mean.double(), mean, atol=1e-5)
        assert torch.allclose(network[1].running_var.double(), variance, rtol=1e-4)
    assert not network[1].running_mean.any()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_score_at_a_rung_does_not_depend_on_the_order_of_validation_rows(
    family: str, digits: TransferSet, signals: Signals, tmp_path: Path
) -> None:
    sample = {"family": family, "depth": 2, "width": 1.0, "taper": 1.4}
    config = decode(sample, parse_budgets(["3k"]), (1, 8, 8), 10)
    one = Member(0, config, settings_of(4.0, 0.9, 0.02), seed=1)
    members = [one, replace(one, trial=1, seed=2)] if FAMILIES[family].pack else [one]
    labels_N = labels(digits).numpy()
    by_class = np.argsort(labels_N, kind="stable")
    orders = {
        "sorted": by_class,
        "shuffled": np.random.default_rng(0).permutation(len(labels_N)),
        "interleaved": np.concatenate([by_class[first::8] for first in range(8)]),
    }
    plain = run_rung(job(digits, signals, *members, stop=1))
    for name, order_N in orders.items():
        data = reordered(digits, order_N, tmp_path / name)
        for one_plain, other in zip(
            plain, run_rung(job(data, signals, *members, stop=1)), strict=True
        ):
            assert other.accuracy == one_plain.accuracy
            assert np.array_equal(other.answers[:, 0], one_plain.answers[order_N, 0])


def reordered(data: TransferSet, order: np.ndarray, folder: Path) -> TransferSet:
    """The same set with the rows of its validation split in another order."""
    start, stop = data.validation
    arrays = []
    for array in (data.examples, data.labels):
        rows = array.open().copy()
        rows[start:stop] = rows[start:stop][order]
        arrays.append(ArrayRef.save(rows, folder / f"{array.sha256[:12]}.npy"))
    return replace(data, examples=arrays[0], labels=arrays[1])


def labels(data: TransferSet) -> torch.Tensor:
    return torch.from_numpy(np.array(data.labels.open()[slice(*data.validation)]))


def test_a_loss_that_is_not_finite_is_the_students_fault(
    digits: TransferSet, signals: Signals
) -> None:
    result = run_rung(job(digits, signals, member(learning_rate=1e30)))[0]
    assert result.fault == "the loss with knowledge kl was not finite by epoch 4"
    assert result.accuracy == 0.0


def test_epochs_are_counted_for_whoever_watches(digits: TransferSet, signals: Signals) -> None:
    seen: list[str] = []
    run_rung(job(digits, signals, member(trial=7)), lambda: seen.append("epoch"))
    assert seen == ["epoch"] * 4


WIDTHS = {"mlp": [(8,), (5, 9, 3), (16, 4), (7, 7, 7)], "cnn": [(4,), (5, 8, 3), (6, 4), (7, 7, 7)]}


def several(family: str, shape: tuple[int, ...] = (1, 8, 8)) -> list[Member]:
    """Students of different depths and widths, each with settings of its own; trial 2 untaught."""
    return [
        Member(
            trial, StudentConfig(family, shape, 10, len(widths), widths),
            settings_of(1.0 + trial, 0.4 * (trial != 2), 0.01 + 0.01 * trial),
            seed=trial, weight_decay=0.02 * trial,
        )
        for trial, widths in enumerate(WIDTHS[family])
    ]  # fmt: skip


def difference(one: RungResult, other: RungResult) -> float:
    """The largest difference between two checkpoints."""
    mine, theirs = load(one.checkpoint), load(other.checkpoint)
    assert mine.keys() == theirs.keys()
    return max(float((mine[n].double() - theirs[n].double()).abs().max()) for n in mine)


PACKING = [name for name, family in FAMILIES.items() if family.pack]


def reshaped(data: TransferSet, shape: tuple[int, ...], folder: Path) -> TransferSet:
    """The same numbers as signals [C, L] or as a table [F]."""
    if shape == data.input_shape:
        return data
    examples = data.examples.open()
    other = ArrayRef.save(examples.reshape(-1, *shape), folder / "examples.npy")
    mean, std = (values * shape[0] for values in (data.mean, data.std))
    return replace(data, examples=other, mean=mean, std=std)


@pytest.mark.usefixtures("precise")
@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 32), (64,)])
@pytest.mark.parametrize("family", PACKING)
def test_packed_students_are_what_they_are_alone(
    family: str, shape: tuple[int, ...], digits: TransferSet, signals: Signals, tmp_path: Path
) -> None:
    if len(shape) - 1 not in FAMILIES[family].sides:
        return
    members = several(family, shape)
    data = reshaped(digits, shape, tmp_path)
    settings = TrainSettings(epochs=3, batch=64)
    packed = in_float64(job(data, signals, *members, settings=settings, stop=3))
    assert 3 * -(-size(data.train) // 64) >= 50
    for one, result in zip(members, packed, strict=True):
        alone = in_float64(job(data, signals, one, settings=settings, stop=3))[0]
        assert result.trial == alone.trial == one.trial
        assert result.accuracy == alone.accuracy
        assert difference(result, alone) < 1e-10


@pytest.mark.usefixtures("precise")
@pytest.mark.parametrize("family", PACKING)
def test_survivors_are_packed_anew_from_their_own_checkpoints(
    family: str, digits: TransferSet, signals: Signals
) -> None:
    members = several(family)
    first = in_float64(job(digits, signals, *members, stop=1))
    left = [replace(members[n], checkpoint=first[n].checkpoint) for n in (3, 0)]
    rest = in_float64(job(digits, signals, *left, start=1))
    for number, result in zip((3, 0), rest, strict=True):
        alone = in_float64(job(digits, signals, members[number]))[0]
        assert result.trial == number
        assert difference(result, alone) < 1e-10


def test_what_is_zero_padded_stays_zero(
    digits: TransferSet, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks: list[nn.Module] = []
    fit = cohort.fit

    def kept(network: nn.Module, *arguments: Any, **named: Any) -> Any:
        networks.append(network)
        return fit(network, *arguments, **named)

    monkeypatch.setattr(cohort, "fit", kept)
    run_rung(job(digits, signals, *several("cnn")))
    state = networks[0].state_dict()
    first = state["convs.0.weight"]  # rows: the depths 3, 3, 2, 1; widths 5, 7, 6, 4 of 7
    assert [int((row != 0).any((1, 2, 3)).sum()) for row in first] == [5, 7, 6, 4]
    assert not state["norms.0.running_mean"][3, 4:].any()


def test_a_member_that_fails_leaves_the_others_as_they_are(
    digits: TransferSet, signals: Signals
) -> None:
    members = several("mlp")
    well = run_rung(job(digits, signals, *members))
    members[1] = replace(members[1], settings={**members[1].settings, "learning_rate": 1e30})
    ill = run_rung(job(digits, signals, *members))
    assert ill[1].fault == "the loss with knowledge kl was not finite by epoch 4"
    for number in (0, 2, 3):
        assert ill[number].fault is None
        assert ill[number].checkpoint == well[number].checkpoint


def test_a_cohort_that_runs_out_of_memory_is_trained_member_by_member(
    digits: TransferSet, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = cohort.fit

    def short(network: nn.Module, *arguments: Any, **named: Any) -> Any:
        if sum(p.numel() for p in network.parameters()) > 1000:
            raise torch.OutOfMemoryError("out of memory")
        return fit(network, *arguments, **named)

    members = several("mlp")
    members[2] = replace(members[2], config=replace(members[2].config, channels=(60, 4)))
    monkeypatch.setattr(cohort, "fit", short)
    results = run_rung(job(digits, signals, *members))
    assert [r.trial for r in results] == [0, 1, 2, 3]
    assert [bool(r.fault) for r in results] == [False, False, True, False]
    assert results[2].fault == "out of memory by epoch 4"


def test_an_error_that_is_not_of_memory_is_not_hidden(
    digits: TransferSet, signals: Signals
) -> None:
    config = replace(member().config, input_shape=(2, 8, 8))
    with pytest.raises(RuntimeError, match="channels"):
        run_rung(job(digits, signals, member(config=config)))


def test_agreement_compares_with_the_teachers_answers(
    digits: TransferSet, signals: Signals
) -> None:
    settings = TrainSettings(epochs=4, batch=16, metric="agreement")
    (by_label,) = run_rung(job(digits, signals, member()))
    (by_answer,) = run_rung(job(digits, signals, member(), settings=settings))
    assert by_label.accuracy > 0.8  # and the teacher is never right
    assert by_answer.accuracy < 0.1
    assert by_answer.checkpoint == by_label.checkpoint
