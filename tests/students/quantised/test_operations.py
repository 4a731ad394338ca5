"""The arithmetic of 8-bit students, beside arithmetic by hand."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_kd.students.quantised.operations import (
    EXACT,
    Add,
    Code,
    Entry,
    Lookup,
    Mean,
    Multiply,
    Pool,
    Shift,
    Weighted,
)

READ, OTHER, OUT = Code(0.125, -10), Code(0.0625, 5), Code(0.25, 3)


def integers(*shape: int) -> Tensor:
    """Random int8 in floats."""
    return torch.randint(-128, 128, shape).float()


def by_hand(real: NDArray[np.float32], zero: int) -> NDArray[np.int64]:
    """Rounded half to even in float32, and brought into int8."""
    assert real.dtype == np.float32
    return np.clip(np.rint(real).astype(np.int64) + zero, -128, 127)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_is_the_sum_of_integer_products_once_rounded(groups: int) -> None:
    weight = torch.randint(-127, 128, (4, 4 // groups, 3, 3), dtype=torch.int8)
    bias = torch.randint(-5000, 5000, (4,), dtype=torch.int32)
    scale = torch.rand(4) / 100
    layer = Weighted(weight, bias, scale, READ, OUT, (2, 2), (1, 1), (1, 1), groups)
    given = integers(2, 4, 7, 6)
    padded = np.full((2, 4, 9, 8), READ.zero, np.int64)
    padded[:, :, 1:-1, 1:-1] = given.numpy()
    found = layer.run(given).numpy()
    multiplier = layer.multipliers.numpy()
    each = 4 // groups
    for b, o, y, x in np.ndindex(*found.shape):
        first = o // each * each
        window = padded[b, first : first + 4 // groups, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
        total = int(((window - READ.zero) * weight[o].numpy().astype(np.int64)).sum()) + int(
            bias[o]
        )
        assert found[b, o, y, x] == by_hand(np.float32(total) * multiplier[o], OUT.zero)


def test_sums_that_float32_cannot_hold_are_exact_all_the_same() -> None:
    weight = torch.full((1, 2000), 127, dtype=torch.int8)
    weight[0, -1] = 1
    layer = Weighted(
        weight, torch.tensor([1], dtype=torch.int32), torch.ones(1), Code(1.0, 0), None
    )
    assert layer.largest_sum > EXACT
    given = torch.full((1, 2000), 127.0)
    total = 1999 * 127 * 127 + 127 + 1
    assert float(layer.run(given)) == float(np.float32(total))


def test_a_sum_of_maps_is_two_products_and_a_sum_in_float32() -> None:
    left, right = integers(50), integers(50)
    one = (left.numpy() - READ.zero).astype(np.float32) * np.float32(0.5)
    other = (right.numpy() - OTHER.zero).astype(np.float32) * np.float32(0.25)
    assert Add(READ, OTHER, OUT).run(left, right).tolist() == by_hand(one + other, 3).tolist()


def test_a_product_is_one_of_integers_and_a_gate_is_read_channel_by_channel() -> None:
    left, gate = integers(2, 3, 4, 4), integers(2, 3, 1, 1)
    whole = (left.numpy() - READ.zero) * (gate.numpy() - OTHER.zero)
    real = whole.astype(np.float32) * np.float32(0.125 * 0.0625 / 0.25)
    assert (Multiply(READ, OTHER, OUT).run(left, gate).numpy() == by_hand(real, OUT.zero)).all()


def test_a_mean_is_one_division_of_an_integer_sum() -> None:
    maps = integers(2, 3, 5, 7)
    total = (maps.numpy() - READ.zero).sum((2, 3)).astype(np.float32)
    wanted = by_hand(total * np.float32(0.125 / (0.25 * 35)), OUT.zero)
    assert (Mean(READ, OUT, 35, keeps_sides=False).run(maps).numpy() == wanted).all()
    assert Mean(READ, OUT, 35).run(maps).shape == (2, 3, 1, 1)


def test_windows_outside_of_a_map_count_as_zero_or_not_at_all() -> None:
    maps = integers(1, 2, 5)
    largest = Pool(READ, READ, (3,), (2,), (1,), largest=True).run(maps)
    assert largest[0, 0].tolist() == [
        max(maps[0, 0, :2].tolist()), max(maps[0, 0, 1:4].tolist()), max(maps[0, 0, 3:].tolist()),
    ]  # fmt: skip
    mean = Pool(READ, OUT, (3,), (2,), (1,), largest=False).run(maps)
    first = np.float32((maps[0, 0, :2] - READ.zero).sum()) * np.float32(0.125 / (0.25 * 3))
    assert mean[0, 0, 0] == by_hand(first, OUT.zero)


def test_a_choice_of_positions_is_padded_with_the_integer_that_stands_for_zero() -> None:
    maps = integers(1, 2, 4)
    found = Shift(READ, (2,), 1, 2).run(maps)
    assert found.shape == (1, 5, 2)
    assert (found[0, [0, 3, 4]] == READ.zero).all()
    assert (found[0, 1:3] == maps[0, :, ::2]).all()
    assert (Shift(READ, (1,), 0, -1).run(maps) == maps[:, :1]).all()


def test_a_table_is_read_from_minus_128_on() -> None:
    table = tuple(reversed(range(-128, 128)))
    assert Lookup("not", table, READ, OUT).run(torch.tensor([-128.0, 127.0])).tolist() == [
        127,
        -128,
    ]


def test_examples_are_normalised_and_quantised_at_once() -> None:
    entry = Entry(torch.tensor([0.5, 2.0]), torch.tensor([-1.0, 3.25]), torch.zeros(2),
                  torch.ones(2), OUT)  # fmt: skip
    given = torch.tensor([[[5.0], [500.0]]])
    assert entry.run(given).flatten().tolist() == [2, 127]
