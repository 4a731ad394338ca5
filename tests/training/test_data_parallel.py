"""A batch in shares: nothing depends on the threads, and the gradient is that of the whole."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from nas_kd.data.transfer import TransferSet
from nas_kd.teachers.jobs import TeacherJob
from nas_kd.teachers.making import make_teacher
from nas_kd.teachers.network import wide
from nas_kd.teachers.teacher import Teacher
from nas_kd.training import AdamW, shared
from nas_kd.training.data_parallel import LEAST, SHARES, replica
from nas_kd.training.loop import backward

EXAMPLES, LABELS = torch.randn(200, 6), torch.arange(200) % 3


def plain() -> nn.Sequential:
    """A network without batch norm, so that shares change no example's answer."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).double()


def squared(index_B: Tensor, answer_BC: Tensor, label_B: Tensor) -> Tensor:
    return answer_BC.square().sum(-1) + answer_BC[:, 0] * label_B


def gradient(batch: int) -> partial[Tensor]:
    read = partial(EXAMPLES.double().index_select, 0)
    return partial(
        backward, squared, read, lambda seen: seen, partial(LABELS.index_select, 0),
        torch.float32, batch,
    )  # fmt: skip


@pytest.mark.parametrize("examples", [200, 130, 33, 5])
def test_the_gradients_of_the_shares_add_up_to_that_of_the_batch(examples: int) -> None:
    index_B = torch.randperm(200)[:examples]
    whole, cut = plain(), plain()
    for network in (whole, cut):
        AdamW(network, torch.tensor([0.1]), torch.tensor([0.0])).zero_grad()
    loss = gradient(examples)(whole, index_B)
    with shared(cut, threads=3) as learn:
        assert torch.allclose(learn(gradient(examples), index_B), loss)
    for mine, theirs in zip(cut.parameters(), whole.parameters(), strict=True):
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-12)


def test_a_step_begins_without_the_last_ones_gradients() -> None:
    network = plain()
    optimizer = AdamW(network, torch.tensor([0.1]), torch.tensor([0.0]))
    with shared(network, threads=1) as learn:
        found = []
        for _ in range(2):
            optimizer.zero_grad()
            learn(gradient(200), torch.arange(200))
            found.append([p.grad.clone() for p in network.parameters()])
    for first, second in zip(*found, strict=True):
        assert torch.equal(first, second)


def test_a_replica_shares_parameters_and_nothing_else() -> None:
    network = wide((1, 8, 8), 10, 4)
    AdamW(network, torch.tensor([0.1]), torch.tensor([0.0]))
    other = replica(network)
    for mine, theirs in zip(other.parameters(), network.parameters(), strict=True):
        assert mine.data_ptr() == theirs.data_ptr()
        assert mine.grad.data_ptr() != theirs.grad.data_ptr()
    for mine, theirs in zip(other.buffers(), network.buffers(), strict=True):
        assert mine.data_ptr() != theirs.data_ptr()


@pytest.mark.parametrize("shares", [1, 3, SHARES])
def test_running_statistics_are_the_mean_of_all_shares(shares: int) -> None:
    network = nn.Sequential(nn.BatchNorm1d(1, affine=False, momentum=1.0), nn.Linear(1, 2))
    AdamW(network, torch.tensor([0.1]), torch.tensor([0.0])).zero_grad()
    rows = torch.arange(float(shares * LEAST)).view(-1, 1)

    def show(part: nn.Module, index_B: Tensor) -> Tensor:
        return part(rows[index_B]).sum()

    with shared(network, threads=2) as learn, torch.no_grad():
        learn(show, torch.arange(len(rows)))
    assert network[0].running_mean.item() == pytest.approx(rows.mean().item())


def test_a_teacher_is_the_same_for_any_number_of_threads(digits: TransferSet) -> None:
    job = TeacherJob(Teacher("train", (1, 8, 8), 10, width=8), digits, epochs=1, seed=0)
    hashes = {make_teacher(replace(job, threads=count)).sha256 for count in (1, 2, 5)}
    assert len(hashes) == 1
