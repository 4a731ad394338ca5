"""Which axis of an array is which: pictures [N, C, H, W], signals [N, C, L], tables [N, F]."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.errors import UnusableData

LAYOUTS = ("auto", "pictures", "signals", "table")

MOST_CHANNELS = 32
"""An array [N, a, b] is of signals where one side is at most this and the other far longer."""

LONGER = 4

COLOURS = (1, 3, 4)
"""Numbers of channels that pictures have."""


def arranged(
    array: NDArray[Any], layout: str, given: str, tell: Callable[[str], None] = lambda text: None
) -> NDArray[Any]:
    """The examples, channels first, uint8 or float32. Raises UnusableData."""
    if array.dtype.kind not in "uifb":
        right = "Give numbers; columns of words are for csv:PATH and parquet:PATH."
        raise UnusableData(given, f"has examples of type {array.dtype}", right)
    found = guessed(array, given, tell) if layout == "auto" else layout
    shaped = {"pictures": pictures, "signals": signals, "table": table}[found](array, given)
    if shaped.dtype == np.uint8:
        return np.ascontiguousarray(shaped)
    with np.errstate(over="ignore"):  # what is too large is named by who looks at the result
        return np.ascontiguousarray(shaped.astype(np.float32))


def guessed(array: NDArray[Any], given: str, tell: Callable[[str], None]) -> str:
    """What an array is, by its shape; said where it could be something else."""
    if array.ndim == 2:
        return "table"
    if array.ndim == 3:
        few, many = sorted(array.shape[1:])
        if few <= MOST_CHANNELS and many >= LONGER * few and array.dtype != np.uint8:
            tell(f"read as signals of {few} channel{'s' * (few > 1)}, {many} long; "
                 "if they are pictures: --fix layout=pictures")  # fmt: skip
            return "signals"
        if few <= MOST_CHANNELS and few < many:
            tell(f"read as pictures of {array.shape[1]}x{array.shape[2]} pixels; if they are "
                 f"signals, {many} long with {few} channels: --fix layout=signals")  # fmt: skip
    if array.ndim not in (3, 4):
        right = "Give pictures [N, H, W] or [N, C, H, W], signals [N, C, L], or tables [N, F]."
        raise UnusableData(given, f"has examples of shape {array.shape[1:]}", right)
    return "pictures"


def pictures(array: NDArray[Any], given: str) -> NDArray[Any]:
    """[N, H, W], [N, C, H, W] or [N, H, W, C] as [N, C, H, W]."""
    if array.ndim == 3:
        return array[:, None]
    if array.ndim != 4:
        right = "Pictures are [N, H, W], [N, C, H, W] or [N, H, W, C]."
        raise UnusableData(given, f"has examples of shape {array.shape[1:]}", right)
    last = array.shape[3] <= max(COLOURS) and array.shape[3] < min(array.shape[1:3])
    return array.transpose(0, 3, 1, 2) if last else array


def signals(array: NDArray[Any], given: str) -> NDArray[Any]:
    """[N, L], or [N, C, L] or [N, L, C] with more places than channels, as [N, C, L]."""
    if array.ndim == 2:
        return array[:, None]
    if array.ndim != 3:
        right = "Signals are [N, L], [N, C, L] or [N, L, C]."
        raise UnusableData(given, f"has examples of shape {array.shape[1:]}", right)
    return array.transpose(0, 2, 1) if array.shape[1] > array.shape[2] else array


def table(array: NDArray[Any], given: str) -> NDArray[Any]:
    """Whatever it is, as features [N, F]."""
    if array.ndim < 2:
        right = "A table is [N, F]: a row an example."
        raise UnusableData(given, f"has examples of shape {array.shape[1:]}", right)
    return array.reshape(len(array), prod(array.shape[1:]))
