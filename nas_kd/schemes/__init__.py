"""Schemes: who teaches, that is, where the target of an example comes from."""

from collections.abc import Callable

from torch import Tensor

from nas_kd.registry import Registry
from nas_kd.schemes import offline

Scheme = Callable[[Tensor, int], Tensor]
"""(logits_VNC, epoch) -> [N, C]: what the students of an epoch imitate; the epoch is counted within
the cycle of the views, from 0 to V - 1."""

SCHEMES: Registry[Scheme] = Registry("scheme", offline=offline.answers)
"""Schemes by name."""
