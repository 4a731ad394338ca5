"""A student's own, unpadded checkpoint: weights, both moments of AdamW, its answers, and the
logits of some as proof.

Nothing random is in it, and nothing of the cohort that the student was trained in, so it goes on
alone or in any other cohort. Peers and co-teachers are stored under `peer.K.`, adapters and the
heads of exits under `adapter.`, and the student of the round before under `before.`.

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

RANGES = "range."
"""What a student that trains with rounding knows of its values lies under this prefix."""

MODEL, FIRST, SECOND = "model.", "exp_avg.", "exp_avg_sq."


Tensors = Mapping[str, Tensor]

Trained = tuple[Tensors, Tensors, Tensors]
"""A state, and both moments of its optimizer."""


def named(parts: Mapping[str, Trained]) -> dict[str, Tensor]:
    """All tensors of the student, whose prefix is empty, and of what goes with it, by their names
    in a checkpoint."""
    return {
        prefix + kind + name: value
        for prefix, trained in parts.items()
        for kind, part in zip((MODEL, FIRST, SECOND), trained, strict=True)
        for name, value in part.items()
    }


def snapshot(
    parts: Mapping[str, Trained], logits_NC: Tensor, ranges_R2: Tensor | None = None
) -> bytes:
    """A checkpoint as safetensors, with what the student answers to the judged examples, and the
    ranges of one that is quantised."""
    tensors = {"proof": logits_NC[:PROOF], "answers": ranked(logits_NC).to(torch.uint16)}
    if ranges_R2 is not None:
        tensors["ranges"] = ranges_R2
    tensors |= named(parts)
    return save({name: value.detach().cpu().contiguous() for name, value in tensors.items()})


def restore(checkpoint: bytes, parts: Mapping[str, Trained]) -> None:
    """Copy what a checkpoint holds into these tensors."""
    kept = load(checkpoint)
    for name, value in named(parts).items():
        value.copy_(kept[name])


def weights(checkpoint: bytes, prefix: str = "") -> dict[str, Tensor]:
    """The student's weights in a checkpoint, or those of what goes with it under a prefix, by their
    names in the network."""
    start = prefix + MODEL
    kept = load(checkpoint)
    return {n.removeprefix(start): value for n, value in kept.items() if n.startswith(start)}


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
