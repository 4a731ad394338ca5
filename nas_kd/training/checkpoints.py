"""A student's own, unpadded checkpoint: weights, both moments of AdamW, its answers, and the
logits of some as proof.

Nothing random is in it, and nothing of the cohort that the student was trained in, so it goes on
alone or in any other cohort.

Suffixes: N examples, C classes.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor

PROOF = 64
"""How many validation examples a finished student answers, so that a copy can prove itself."""

COLUMNS = 5
"""So many of the largest logits of each judged example are kept, as classes: for top-5 accuracy."""

MODEL, FIRST, SECOND = "model.", "exp_avg.", "exp_avg_sq."


def snapshot(
    state: Mapping[str, Tensor],
    exp_avg: Mapping[str, Tensor],
    exp_avg_sq: Mapping[str, Tensor],
    logits_NC: Tensor,
) -> bytes:
    """A checkpoint as safetensors, with what the student answers to the judged examples."""
    tensors = {"proof": logits_NC[:PROOF], "answers": ranked(logits_NC).to(torch.uint16)}
    for prefix, part in ((MODEL, state), (FIRST, exp_avg), (SECOND, exp_avg_sq)):
        tensors |= {prefix + name: value for name, value in part.items()}
    return save({name: value.detach().cpu().contiguous() for name, value in tensors.items()})


def restore(
    checkpoint: bytes,
    state: Mapping[str, Tensor],
    exp_avg: Mapping[str, Tensor],
    exp_avg_sq: Mapping[str, Tensor],
) -> None:
    """Copy what a checkpoint holds into these tensors."""
    kept = load(checkpoint)
    for prefix, part in ((MODEL, state), (FIRST, exp_avg), (SECOND, exp_avg_sq)):
        for name, value in part.items():
            value.copy_(kept[prefix + name])


def weights(checkpoint: bytes) -> dict[str, Tensor]:
    """The weights in a checkpoint, by their names in the network."""
    kept = load(checkpoint)
    return {n.removeprefix(MODEL): value for n, value in kept.items() if n.startswith(MODEL)}


def ranked(logits_NC: Tensor) -> Tensor:
    """The classes [N, 5] of the largest logits; the first one is argmax, also where several are
    equally large."""
    top_NK = logits_NC.topk(min(COLUMNS, logits_NC.shape[-1]), -1).indices
    first_N1 = logits_NC.argmax(-1, keepdim=True)
    displaced_NK = top_NK.where(top_NK != first_N1, top_NK[:, :1])
    return torch.cat([first_N1, displaced_NK[:, 1:]], dim=-1)


def answers(checkpoint: bytes) -> NDArray[np.uint16]:
    """The top-5 classes [N, 5] that a checkpoint stores for the examples it was scored on."""
    found: NDArray[np.uint16] = load(checkpoint)["answers"].numpy()
    return found
