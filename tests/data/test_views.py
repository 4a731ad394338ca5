"""Views: fixed, seeded, and the same for teacher and student."""

import pytest
import torch

from nas_kd.data.views import Views, number, seen, view


def test_view_zero_is_the_example_as_it_is() -> None:
    images = torch.randint(0, 255, (3, 1, 8, 8), dtype=torch.uint8)
    assert torch.equal(view(images, Views(5, shift=2).table()[0]), images)


def test_a_shift_moves_the_picture_and_repeats_its_edge() -> None:
    image = torch.arange(9, dtype=torch.uint8).reshape(1, 1, 3, 3)
    moved = view(image, (1, 0, False))[0, 0]
    assert moved.tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    assert view(image, (0, -1, False))[0, 0].tolist() == [[1, 2, 2], [4, 5, 5], [7, 8, 8]]
    assert view(image, (0, 0, True))[0, 0].tolist() == [[2, 1, 0], [5, 4, 3], [8, 7, 6]]


@pytest.mark.parametrize("flip", [False, True])
def test_views_are_distinct_as_far_as_there_are_enough(flip: bool) -> None:
    table = Views(9, shift=1, flip=flip, seed=1).table()
    assert len(set(table)) == 9
    assert table == Views(9, shift=1, flip=flip, seed=1).table()
    assert any(flipped for _, _, flipped in table) == flip


def test_in_epoch_e_example_i_is_seen_as_view_e_plus_i_modulo_v() -> None:
    images = torch.randint(0, 255, (10, 2, 6, 6), dtype=torch.uint8)
    views = Views(4, shift=1, flip=True)
    for epoch in range(5):
        shown = seen(images, views, epoch)
        which = number(epoch, 10, 4)
        for i in range(10):
            assert int(which[i]) == (epoch + i) % 4
            expected = view(images[i : i + 1], views.table()[int(which[i])])
            assert torch.equal(shown[i : i + 1], expected)


def test_a_signal_is_shifted_along_its_length() -> None:
    signal = torch.arange(4, dtype=torch.uint8).reshape(1, 1, 4)
    assert view(signal, (0, 1, False))[0, 0].tolist() == [0, 0, 1, 2]
    table = Views(5, shift=2, sides=1).table()
    assert {down for down, _, _ in table} == {0}
    assert {right for _, right, _ in table} == {-2, -1, 0, 1, 2}
