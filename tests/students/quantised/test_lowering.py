"""From networks to programs of integers: every family and option, and other networks."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas_kd.costs.budgets import COSTS
from nas_kd.costs.counting import counted
from nas_kd.errors import Unusable
from nas_kd.students.decode import counts
from nas_kd.students.family import StudentConfig
from nas_kd.students.quantised import planned, ranges_of
from nas_kd.students.quantised.memory import arena_of
from nas_kd.students.quantised.operations import Entry, Weighted
from nas_kd.students.quantised.plan import MOST, code_of
from tests.students.quantised.networks import (
    CLASSES,
    configs,
    drawn,
    every,
    made,
    normalised,
    program_of,
    settled,
)

EVERY = pytest.mark.parametrize("config", list(every()))


@EVERY
def test_integers_answer_as_the_network_does(config: StudentConfig) -> None:
    network = made(config)
    examples = drawn(config.input_shape, 400)
    with torch.no_grad():
        wanted = network(normalised(examples))
    found = program_of(network, config.input_shape)(examples)
    assert float((found - wanted).abs().mean()) < 0.05 * float(wanted.std())


@EVERY
def test_the_arena_is_the_ram_that_is_counted(config: StudentConfig) -> None:
    arena = arena_of(program_of(made(config), config.input_shape))
    assert arena.size == arena.least == COSTS["ram"](counts(config), 8)


@EVERY
def test_the_arrays_are_the_bytes_that_are_counted(config: StudentConfig) -> None:
    program = program_of(made(config), config.input_shape)
    layers = [s.operation for s in program.steps if isinstance(s.operation, Weighted)]
    found = sum(
        one.weight_OIK.nbytes + one.bias_O.nbytes + one.multipliers.nbytes for one in layers
    )
    assert found == COSTS["bytes"](counts(config), 8)


def test_values_that_overlap_in_time_lie_apart() -> None:
    for config in configs(((3, 32, 32),)):
        program = program_of(made(config), config.input_shape)
        arena = arena_of(program)
        last = {name: at for at, step in enumerate(program.steps) for name in step.reads}
        for at, step in enumerate(program.steps):
            here = arena.offsets[step.name]
            for before in program.steps[:at]:
                if last[before.name] <= at:
                    continue  # it is read here for the last time, perhaps written over
                size = torch.Size(before.shape).numel()
                there = arena.offsets[before.name]
                mine = torch.Size(step.shape).numel()
                apart = here + mine <= there or there + size <= here
                assert apart or arena.offsets[before.name] == here


class Foreign(nn.Module):
    """What people write: pools, views, clamps, a norm before its layer, tables of functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 5, 2, 2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 12, 3, padding=2, dilation=2, groups=4)
        self.swish = nn.Hardswish()
        self.third = nn.Conv2d(12, 12, 1)
        self.mean = nn.AvgPool2d(2)
        self.last = nn.Linear(12 * 2 * 2, 16)
        self.end = nn.Linear(16, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.pool(functional.relu6(self.first(images)))
        maps = self.swish(self.second(self.norm(maps)))
        maps = functional.dropout(self.mean(maps + self.third(maps)), training=self.training)
        maps = functional.max_pool2d(maps, kernel_size=2)
        return self.end(torch.tanh(self.last(maps.view(maps.size(0), -1))))


def test_networks_of_others_are_quantised_by_what_they_do() -> None:
    network = settled(Foreign(), (3, 32, 32))
    program = program_of(network, (3, 32, 32))
    examples = drawn((3, 32, 32), 200)
    with torch.no_grad():
        wanted = network(normalised(examples))
    off = float((program(examples) - wanted).abs().mean())
    assert off < 0.08 * float(wanted.std())
    size = counted(network, (3, 32, 32))
    assert arena_of(program).size <= COSTS["ram"](size, 8)


class Ends(nn.Module):
    """Gives the mean of maps as logits."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(2, CLASSES, 3)

    def forward(self, signals: Tensor) -> Tensor:
        return self.layer(signals).mean(2)


def test_logits_that_no_linear_layer_gives_are_numbers_too() -> None:
    network = settled(Ends(), (2, 20))
    examples = drawn((2, 20), 50)
    with torch.no_grad():
        wanted = network(normalised(examples))
    found = program_of(network, (2, 20))(examples)
    assert float((found - wanted).abs().mean()) < 0.05 * float(wanted.std())


class Written(nn.Module):
    """A network of a few layers that `how` computes."""

    def __init__(self, how: Callable[["Written", Tensor], Tensor]) -> None:
        super().__init__()
        self.how = how
        self.one, self.two = nn.Conv1d(4, 4, 3, padding=1), nn.Conv1d(4, 4, 3, padding=1)
        self.norm, self.logits = nn.BatchNorm1d(4), nn.Linear(4, 4)

    def forward(self, maps: Tensor) -> Tensor:
        return self.how(self, maps)


def pure_block(net: Written, maps: Tensor) -> Tensor:
    """A block whose input is read again."""
    return net.logits(torch.add(net.two(net.one(maps).relu()), maps).relu_().mean(1 + 1))


RIGHT: dict[str, Callable[[Written, Tensor], Tensor]] = {
    "relu at the end": lambda net, maps: net.logits(maps.mean(-1)).relu(),
    "relu6 at the end": lambda net, maps: functional.relu6(net.logits(maps.mean(2))),
    "what nobody reads": lambda net, maps: (net.logits(maps.mean(2)), net.two(maps))[0],
    "the same twice": lambda net, maps: net.logits((net.one(maps) + net.one(maps)).mean(2)),
    "doubled": lambda net, maps: net.logits(torch.add(net.one(maps), maps).mean(2)),
    "squared": lambda net, maps: net.logits(torch.mul(maps, maps).mean(2)),
    "a gate on the left": lambda net, maps: net.logits(
        (torch.sigmoid(maps.mean(2).unflatten(1, (4, 1))) * net.one(maps)).mean(2)),
    "two strides": lambda net, maps: net.logits(maps[..., ::2][:, :, ::2].mean(2)),
    "a norm first": lambda net, maps: net.logits(net.one(net.norm(maps)).mean(2)),
    "in place": lambda net, maps: net.logits(functional.relu(net.one(maps), inplace=True).mean(2)),
    "a block": pure_block,
    "logits read again": lambda net, maps: net.logits(net.logits(maps.mean(2))),
    "cropped on both sides": lambda net, maps: net.logits(
        functional.pad(functional.pad(maps, (0, 0, 1, 2)), (0, 0, -2, -1)).mean(2)),
    "a layer called logits": lambda net, maps: net.logits(
        maps.mean(2)).unflatten(1, (4, 1)).mean(2),
}  # fmt: skip
"""What may be written in many ways, and must be understood."""


def off_by(network: nn.Module, shape: tuple[int, ...]) -> float:
    """The mean difference of integers and floats, in deviations of the floats."""
    examples = drawn(shape, 200)
    with torch.no_grad():
        wanted = network(normalised(examples))
    return float((program_of(network, shape)(examples) - wanted).abs().mean() / wanted.std())


@pytest.mark.parametrize("how", list(RIGHT))
def test_what_is_written_in_another_way_is_understood(how: str) -> None:
    assert off_by(settled(Written(RIGHT[how]), (4, 12)), (4, 12)) < 0.05


WRONG: dict[str, tuple[Callable[[Written, Tensor], Tensor], str]] = {
    "overwritten": (
        lambda net, maps: net.logits(
            (functional.relu(x := net.one(maps), inplace=True) + x).mean(2)),
        "writes over what is read later",
    ),
    "dropped result": (
        lambda net, maps: net.logits(((x := net.one(maps)), x.add_(maps), x)[2].mean(2)),
        "add_ writes over what is read later",
    ),
    "overwritten by a view": (
        lambda net, maps: net.logits(
            ((x := net.one(maps)).flatten(1).relu_().unflatten(1, (4, 12)) + x).mean(2)),
        "relu_ writes over what is read later",
    ),
    "a mean of channels": (
        lambda net, maps: net.logits(maps.mean(1)[:, :4]), "is a mean|takes a part",
    ),
    "all of it": (lambda net, maps: maps.mean(), "gives .* for 2 examples|is a mean"),
    "alpha": (
        lambda net, maps: net.logits(torch.add(net.one(maps), maps, alpha=3).mean(2)),
        "has another part than two maps",
    ),
    "a number": (lambda net, maps: net.logits((maps * 2).mean(2)), "another part than two maps"),
    "chunks": (lambda net, maps: net.logits(maps.chunk(2, 2)[0].mean(2)), "chunk|no tensor"),
    "a mean without the padding": (
        lambda net, maps: net.logits(functional.avg_pool1d(
            maps, 3, 1, 1, count_include_pad=False).mean(2)),
        "pools in a form",
    ),
    "some features": (lambda net, maps: net.logits(maps.mean(2))[:, [3, 2, 1, 0]], "takes a part"),
    "the batch": (lambda net, maps: net.logits(maps.mean(0).mean(1)), "gives|is a mean"),
    "maps as the answer": (lambda net, maps: net.one(maps), "it answers .*, not a logit"),
    "two answers": (
        lambda net, maps: (net.logits(maps.mean(2)), maps.mean(2)),  # type: ignore[return-value]
        "it answers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", list(WRONG))
def test_what_would_be_another_network_in_integers_is_refused(how: str) -> None:
    compute, wrong = WRONG[how]
    with pytest.raises(Unusable, match=wrong):
        program_of(Written(compute).eval(), (4, 12))


def test_sums_that_int32_cannot_hold_are_refused() -> None:
    network = nn.Sequential(nn.Linear(80_000, 2))
    nn.init.constant_(network[0].weight, 1.0)
    with pytest.raises(Unusable, match="sums that int32 cannot hold"):
        program_of(network, (80_000,))


def test_a_network_is_planned_in_its_own_mode_and_left_so() -> None:
    network = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(21, 2))
    network.train()
    network[1].eval()
    planned(network, (2, 9))
    assert [part.training for part in network.modules()] == [True, True, False, True, True]


class Outside(nn.Module):
    """Has a weight that no layer holds."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, rows: Tensor) -> Tensor:
        return rows * self.scale


class Depends(nn.Module):
    """Goes by the values."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows if rows.sum() > 0 else -rows


class Turned(nn.Module):
    """Moves numbers about."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 2, 1).flatten(1)


@pytest.mark.parametrize(
    ("network", "shape", "wrong"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)), (4,), r"the layer '1' \(LayerNorm\)"),
        (Outside(), (4,), "the parameter 'scale' outside of layers"),
        (Depends(), (4,), "its path depends on values"),
        (Turned(), (2, 3), "the method permute"),
        (nn.Sequential(nn.Linear(4, 4)), (3, 4), r"gives \(3, 4\), no vector"),
        (nn.Sequential(nn.Conv1d(1, 2, 3, padding="same")), (1, 9), "pads by zeros, same"),
        (nn.Sequential(nn.AvgPool2d(3, ceil_mode=True)), (1, 8, 8), "pools in a form"),
        (nn.Sequential(nn.BatchNorm1d(4)), (4,), "a norm of a vector"),
        (
            nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False)),
            (3, 4, 4),
            "no running statistics",
        ),
    ],
)
def test_what_cannot_be_quantised_is_one_error_that_names_it(
    network: nn.Module, shape: tuple[int, ...], wrong: str
) -> None:
    with pytest.raises(Unusable, match=f"cannot be quantised: .*{wrong}"):
        program_of(network.eval(), shape)


def test_ranges_hold_zero_and_end_where_values_explode() -> None:
    plan = planned(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)), (2,))
    ranges = ranges_of(plan, [torch.full((4, 2), torch.inf)])
    assert (ranges[:, 0] <= 0).all()
    assert (ranges[:, 1] >= 0).all()
    assert float(ranges.abs().max()) == pytest.approx(MOST)
    assert code_of(0.0, 0.0).scale == 1.0


def test_a_layer_that_died_or_has_a_bias_alone_keeps_its_sums_small() -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, CLASSES))
    with torch.no_grad():
        network[0].weight.zero_()
        network[0].weight[0] = 1e-20
        network[0].bias.copy_(torch.tensor([0.5, -1.0, 0.25]))
    found = program_of(network.eval(), (4,))(drawn((4,), 8))
    with torch.no_grad():
        wanted = network(normalised(drawn((4,), 8)))
    assert float((found - wanted).abs().max()) < 0.01


def test_normalisation_of_each_channel_is_part_of_the_first_step() -> None:
    config = replace(next(configs(((3, 32, 32),))))
    entry = program_of(made(config), config.input_shape).steps[0].operation
    assert isinstance(entry, Entry)
    assert len(entry.gain_C) == 3
