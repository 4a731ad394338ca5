"""AdamW is torch's own, student by student."""

import pytest
import torch
from torch import nn

from nas_kd.training import AdamW


def network() -> nn.Sequential:
    """One with every kind of parameter."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3 * 36, 2)
    ).double()


def test_it_steps_as_torch_does_and_its_decay_spares_norms_and_biases() -> None:
    mine, theirs = network(), network()
    rate, decay = torch.tensor([[0.1], [0.3]], dtype=torch.float64)
    ours = AdamW(mine, rate, decay)
    many = [p for p in theirs.parameters() if p.ndim > 1]
    few = [p for p in theirs.parameters() if p.ndim == 1]
    torchs = torch.optim.AdamW([{"params": many, "weight_decay": 0.3},
                                {"params": few, "weight_decay": 0.0}], lr=0.1)  # fmt: skip
    images = torch.randn(8, 1, 8, 8, dtype=torch.float64)
    for number in range(1, 21):
        share = number / 20
        for group in torchs.param_groups:
            group["lr"] = 0.1 * share
        for net, optimizer in ((mine, ours), (theirs, torchs)):
            optimizer.zero_grad()
            net(images).square().mean().backward()
        ours.step(number, share)
        torchs.step()
    for one, other in zip(mine.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-12)


class Rows(nn.Module):
    """Two students as rows."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 3, 4))
        self.bias = nn.Parameter(torch.ones(2, 3))


def test_each_row_has_its_own_rate_and_decay() -> None:
    rows = Rows()
    optimizer = AdamW(rows, torch.tensor([0.1, 0.2]), torch.tensor([0.0, 0.5]))
    optimizer.zero_grad()
    optimizer.step(1, 1.0)  # no gradient, so what moves is the decay
    assert rows.weight[0].detach().unique().tolist() == [1.0]
    assert rows.weight[1].detach().unique().tolist() == pytest.approx([1 - 0.2 * 0.5])
    assert rows.bias.detach().unique().tolist() == [1.0]


def test_students_that_share_rate_and_decay_step_as_each_would_alone() -> None:
    gradients = torch.randn(5, 3, 4, 2, generator=torch.Generator().manual_seed(1))
    rates, decays = torch.tensor([0.1, 0.3, 0.1]), torch.tensor([0.2, 0.2, 0.2])
    packed = nn.ParameterDict({"weight": nn.Parameter(torch.ones(3, 4, 2))})
    together = AdamW(packed, rates, decays)
    alone = [nn.ParameterDict({"weight": nn.Parameter(torch.ones(4, 2))}) for _ in rates]
    optimizers = [AdamW(one, rates[n : n + 1], decays[n : n + 1]) for n, one in enumerate(alone)]
    for number, gradient in enumerate(gradients, 1):
        packed["weight"].grad.copy_(gradient)
        together.step(number, 0.5)
        for row, (one, optimizer) in enumerate(zip(alone, optimizers, strict=True)):
            one["weight"].grad.copy_(gradient[row])
            optimizer.step(number, 0.5)
            assert torch.allclose(one["weight"], packed["weight"][row], rtol=1e-6)


def test_the_moments_are_by_name_and_of_the_parameters_shape() -> None:
    net = network()
    optimizer = AdamW(net, torch.tensor([0.1]), torch.tensor([0.0]))
    net(torch.randn(8, 1, 8, 8, dtype=torch.float64)).sum().backward()
    optimizer.step(1, 1.0)
    for moment in optimizer.moments:
        assert {n: m.shape for n, m in moment.items()} == {
            n: p.shape for n, p in net.named_parameters()
        }
    gradient = dict(net.named_parameters())["3.bias"].grad
    assert gradient is not None
    assert torch.allclose(optimizer.moments[0]["3.bias"], 0.1 * gradient)
