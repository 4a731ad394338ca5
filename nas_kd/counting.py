"""Parameters and MACs of a network, counted by dispatched operation, never by module type."""

from typing import Any

import torch
from torch import nn
from torch.backends import mha
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from nas_kd.costs import Shape


class Counter(TorchDispatchMode):
    """Adds up what torch's own formulas say of each operation.

    torch's FlopCounterMode does the same, and loads torch's compiler to do it: half a second to
    more than one (studies/overhead).
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run an operation, or what it is made of, and count it."""
        named = kwargs or {}
        formula = flop_registry.get(func._overloadpacket)
        if formula is None:
            with self:
                made = func.decompose(*args, **named)
            if made is not NotImplemented:
                return made
        out = func(*args, **named)
        if formula is not None:
            self.flops += formula(*args, **named, out_val=out)
        return out


def measure(network: nn.Module, input_shape: Shape) -> tuple[int, int]:
    """Trainable parameters, and MACs of one example.

    A network that was built on `meta` is given memory first, but no values.
    """
    if any(p.is_meta for p in network.parameters()):
        network = network.to_empty(device="cpu")
    fast = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)  # fused attention has no formula
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), Counter() as counter:
            network(torch.zeros((2, *input_shape)))
    finally:
        mha.set_fastpath_enabled(fast)
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return parameters, counter.flops // 4
