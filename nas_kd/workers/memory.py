"""Telling that memory ran out from other faults."""

import torch


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that there was not enough memory, on a CPU or a GPU."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "allocate memory" in str(error)
    )
