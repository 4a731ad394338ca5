"""AdamW of a network or a packed one, each student with its own rate and decay.

Loshchilov, Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2,
https://arxiv.org/abs/1711.05101

torch's optimizers take one rate for all tensors, and their Python costs more than a tiny student's
arithmetic. The kernel below them is called here directly, once for each rate and decay: one pass
over memory in place of nine (studies/cohorts).

Suffixes: G students, P all parameters.
"""

from collections import defaultdict

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
        every = [torch.zeros(count, dtype=first.dtype, device=first.device) for _ in range(4)]
        value_P, self._gradient_P, *_ = every
        self._number = torch.zeros((), dtype=torch.float32, device=first.device)
        self.moments: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
        rows: dict[tuple[float, float], list[list[Tensor]]] = defaultdict(list)
        start = 0
        for name, parameter in named.items():
            span, shape = slice(start, start + parameter.numel()), parameter.shape
            start = span.stop
            value_P[span].view(shape).copy_(parameter.data)
            parts = [vector_P[span].view(shape) for vector_P in every]
            parameter.data, parameter.grad, self.moments[0][name], self.moments[1][name] = parts
            decays = parameter.ndim > (2 if packed else 1)
            for row in range(shape[0] if packed else 1):
                key = (float(rate_G[row]), float(decay_G[row]) if decays else 0.0)
                rows[key].append([part[row] for part in parts] if packed else parts)
        self._groups = [
            (rate, decay, [list(part) for part in zip(*parts, strict=True)])
            for (rate, decay), parts in rows.items()
        ]

    def zero_grad(self) -> None:
        """Forget the gradients of the last step."""
        self._gradient_P.zero_()

    @torch.no_grad()
    def step(self, number: int, share: float) -> None:
        """The step of this number, from 1, at this share of the peak rates."""
        self._number.fill_(number)
        for rate, decay, (values, gradients, firsts, seconds) in self._groups:
            torch._fused_adamw_(
                values, gradients, firsts, seconds, [], [self._number] * len(values),
                lr=rate * share, beta1=BETAS[0], beta2=BETAS[1], weight_decay=decay, eps=EPSILON,
                amsgrad=False, maximize=False,
            )  # fmt: skip
