"""Which axis of an array is which."""

import numpy as np
import pytest

from nas_kd.data.layout import arranged
from nas_kd.errors import UnusableData


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((9, 5), "auto", (9, 5)),
        ((9, 8, 8), "auto", (9, 1, 8, 8)),
        ((9, 8, 8, 3), "auto", (9, 3, 8, 8)),
        ((9, 3, 8, 8), "auto", (9, 3, 8, 8)),
        ((9, 6, 128), "auto", (9, 6, 128)),
        ((9, 128, 6), "auto", (9, 6, 128)),
        ((9, 28, 40), "auto", (9, 1, 28, 40)),
        ((9, 128, 6), "pictures", (9, 1, 128, 6)),
        ((9, 40), "signals", (9, 1, 40)),
        ((9, 28, 40), "signals", (9, 28, 40)),
        ((9, 4, 5), "table", (9, 20)),
    ],
)
def test_examples_come_out_channels_first(
    shape: tuple[int, ...], layout: str, expected: tuple[int, ...]
) -> None:
    found = arranged(np.zeros(shape), layout, "data")
    assert found.shape == expected
    assert found.dtype == np.float32


def test_what_could_be_something_else_is_said() -> None:
    said: list[str] = []
    arranged(np.zeros((9, 128, 6), np.float32), "auto", "data", said.append)
    assert said == ["read as signals of 6 channels, 128 long; "
                    "if they are pictures: --fix layout=pictures"]  # fmt: skip


def test_whole_numbers_of_bytes_are_pictures() -> None:
    assert arranged(np.zeros((9, 6, 128), np.uint8), "auto", "data").shape == (9, 1, 6, 128)


@pytest.mark.parametrize(
    ("shape", "layout"), [((9,), "auto"), ((9, 4), "pictures"), ((9, 3, 4, 4), "signals"),
                          ((9,), "table"), ((9, 1, 2, 3, 4), "auto")],
)  # fmt: skip
def test_a_shape_that_does_not_fit_is_refused(shape: tuple[int, ...], layout: str) -> None:
    with pytest.raises(UnusableData, match="examples of shape"):
        arranged(np.zeros(shape), layout, "data")
