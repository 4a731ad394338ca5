"""How examples come from disk into a step: memory-mapped, gathered by index, normalised.

Suffixes: B examples of a batch, N of a split, X the shape of one.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from nas_kd.data.arrays import ArrayRef
from nas_kd.data.transfer import TransferSet
from nas_kd.students.family import StudentConfig
from nas_kd.students.packing import PackedConv

Gather = Callable[[Tensor], Tensor]
"""index_B -> the rows of an array, on the device."""

RESIDENT = 0.5
"""An array that takes more than this share of a device's free memory stays outside of it."""

NARROW = 12
"""A convolutional network up to this wide is faster in the plain memory layout on a CPU."""

BLOCK = 16
"""The channels that oneDNN takes at once."""


@lru_cache(maxsize=8)
def tensor(array: ArrayRef) -> Tensor:
    """A memory-mapped array as a tensor that shares its memory; never written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array.open())


def gather(rows_N: Tensor, device: torch.device) -> Gather:
    """Reads batches: in place on a CPU, from the device's own memory if the array fits there,
    else through pinned memory without waiting for the copy."""
    if device.type == "cpu":
        return lambda index_B: rows_N.index_select(0, index_B)
    free, _ = torch.cuda.mem_get_info(device)
    if rows_N.nbytes < RESIDENT * free:
        resident_N = rows_N.to(device)
        return lambda index_B: resident_N.index_select(0, index_B.to(device, non_blocking=True))
    return lambda index_B: (
        rows_N.index_select(0, index_B).pin_memory().to(device, non_blocking=True)
    )


def memory_format(
    network: nn.Module, students: Sequence[StudentConfig] = ()
) -> torch.memory_format:
    """The memory layout of pictures in which a network, perhaps one of students, trains fastest.

    Measured in studies/cohorts: channels last, but for a narrow convolutional student alone. A
    network with a strided 1x1 convolution of fewer than 16 channels has to stay in the plain
    layout: in the other, its gradient is written past the end of its memory, which ends the process
    or spoils other numbers (oneDNN, issue 6035).
    """
    convolutions = any(isinstance(part, nn.Conv2d | PackedConv) for part in network.modules())
    narrow = len(students) == 1 and max(students[0].channels, default=NARROW + 1) <= NARROW
    plain = not convolutions or narrow or any(map(overruns, network.modules()))
    return torch.contiguous_format if plain else torch.channels_last


def overruns(part: nn.Module) -> bool:
    """Whether the gradient of a layer is written past the end of its memory in channels last."""
    return (
        isinstance(part, nn.Conv2d)
        and part.kernel_size == (1, 1)
        and part.stride != (1, 1)
        and part.in_channels // part.groups < BLOCK
    )


def normaliser(
    data: TransferSet,
    layout: torch.memory_format = torch.channels_last,
    device: torch.device | None = None,
) -> Callable[[Tensor], Tensor]:
    """From examples as stored to float32 with mean 0 and deviation 1, channel by channel."""
    column = (-1, *(1 for _ in data.input_shape[1:]))
    mean = torch.tensor(data.mean, device=device).view(column)
    scale = 1 / torch.tensor(data.std, device=device).view(column)
    if len(column) != 3:
        layout = torch.contiguous_format  # others are for pictures

    def normalise(examples_BX: Tensor) -> Tensor:
        laid_out_BCHW = examples_BX.contiguous(memory_format=layout)
        ready_BCHW = (laid_out_BCHW.to(mean.dtype) - mean) * scale
        if layout == torch.channels_last and ready_BCHW.shape[1] == 1:
            # of one channel both layouts are true; the strides decide what torch goes on with
            _, _, height, width = ready_BCHW.shape
            strides = (height * width, 1, width, 1)
            return ready_BCHW.contiguous().as_strided(ready_BCHW.shape, strides)
        return ready_BCHW

    return normalise
