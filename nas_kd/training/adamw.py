"""AdamW over all parameters as one vector, each student with its own rate and decay.

Loshchilov, Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2,
https://arxiv.org/abs/1711.05101

torch's own takes one rate for all, and its Python costs more than a tiny student's arithmetic.

Suffixes: G students, P all parameters.
"""

from math import sqrt

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class AdamW:
    """The optimizer of one network, or of a packed one whose tensors have students as rows.

    The decay spares norms and biases, which have one dimension a student.
    """

    def __init__(self, network: nn.Module, rate_G: Tensor, decay_G: Tensor) -> None:
        """`rate_G` are the peaks of the schedule; one student's network has no dimension G."""
        named = {n: p for n, p in network.named_parameters() if p.requires_grad}
        packed = len(rate_G) > 1
        first = next(iter(named.values()))
        count = sum(p.numel() for p in named.values())

        def vector() -> Tensor:
            return torch.zeros(count, dtype=first.dtype, device=first.device)

        self._value_P, self._gradient_P, self._spare_P = vector(), vector(), vector()
        self._first_P, self._second_P = vector(), vector()
        self._rate_P, self._decay_P = vector(), vector()
        self.moments: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
        start = 0
        for name, parameter in named.items():
            span, shape = slice(start, start + parameter.numel()), parameter.shape
            start = span.stop
            rows = shape[0] if packed else 1
            rate_G1 = rate_G[:rows, None].to(first)
            self._rate_P[span].view(rows, -1).add_(rate_G1)
            if parameter.ndim > (2 if packed else 1):
                decay_G1 = rate_G1 * decay_G[:rows, None].to(first)
                self._decay_P[span].view(rows, -1).add_(decay_G1)
            self._value_P[span].view(shape).copy_(parameter.data)
            parameter.data = self._value_P[span].view(shape)
            parameter.grad = self._gradient_P[span].view(shape)
            self.moments[0][name] = self._first_P[span].view(shape)
            self.moments[1][name] = self._second_P[span].view(shape)

    def zero_grad(self) -> None:
        """Forget the gradients of the last step."""
        self._gradient_P.zero_()

    @torch.no_grad()
    def step(self, number: int, share: float) -> None:
        """The step of this number, from 1, at this share of the peak rates."""
        first, second = BETAS
        correction = sqrt(1 - second**number)
        self._first_P.lerp_(self._gradient_P, 1 - first)
        self._second_P.mul_(second).addcmul_(self._gradient_P, self._gradient_P, value=1 - second)
        torch.sqrt(self._second_P, out=self._spare_P).add_(EPSILON * correction)
        torch.div(self._first_P, self._spare_P, out=self._spare_P).mul_(self._rate_P)
        self._value_P.addcmul_(self._value_P, self._decay_P, value=-share)
        self._value_P.add_(self._spare_P, alpha=-share * correction / (1 - first**number))
