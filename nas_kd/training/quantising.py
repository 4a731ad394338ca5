"""A student in 8 bits after its training: its ranges come from fixed training examples, the same
that settle batch norms at rungs, and it is judged by what the integers answer.

Suffixes: N examples of a split, R values that need a code, C classes.
"""

import torch
from torch import Tensor, nn

from nas_kd.data.transfer import Rows, TransferSet
from nas_kd.students import build
from nas_kd.students.family import StudentConfig
from nas_kd.students.quantised import Plan, Program, lowered, planned, ranges_of
from nas_kd.students.quantised.aware import ranges_in
from nas_kd.training.batches import normaliser, tensor
from nas_kd.training.calibration import calibration_examples
from nas_kd.training.checkpoints import Tensors
from nas_kd.training.jobs import RungJob

PIECE = 128
"""Examples that are answered at once."""


def observed(network: nn.Module, data: TransferSet, seed: int) -> Tensor:
    """The range [R, 2] of each value of a network on the CPU that needs a code, over the
    calibration examples. Raises Unusable for a network that cannot be quantised."""
    return observed_in(planned(network, data.input_shape), data, seed)


def observed_in(plan: Plan, data: TransferSet, seed: int) -> Tensor:
    """The ranges [R, 2] of a network that is planned already."""
    normalise = normaliser(data, torch.contiguous_format)
    return ranges_of(plan, map(normalise, calibration_examples(data, seed)))


def program_of(network: nn.Module, data: TransferSet, ranges_R2: Tensor) -> Program:
    """A trained network on the CPU, in eval mode, as integers."""
    return lowered(planned(network, data.input_shape), ranges_R2, data.mean, data.std)


def answered(program: Program, data: TransferSet, rows: Rows) -> Tensor:
    """The logits [N, C] to these rows."""
    examples_NX = tensor(data.examples)[slice(*rows)]
    return torch.cat([program(piece_BX) for piece_BX in examples_NX.split(PIECE)])


def in_integers(
    config: StudentConfig, state: Tensors, network: nn.Module, job: RungJob
) -> tuple[Tensor, Tensor] | None:
    """What a student of this state answers in integers to a job's judged rows, [N, C], and its
    ranges: those in the network, if that was trained with rounding, else observed ones. None for a
    student whose numbers are not finite."""
    with torch.inference_mode(False):  # a network of a user's may be trained where it is made
        plain = build(config).eval()
    plain.load_state_dict({name: value.cpu() for name, value in state.items()})
    if not all(bool(value.isfinite().all()) for value in plain.state_dict().values()):
        return None
    plan, data = planned(plain, config.input_shape), job.data
    seen = ranges_in(network) if job.settings.qat else observed_in(plan, data, job.order_seed)
    return answered(lowered(plan, seen, data.mean, data.std), data, job.judged), seen
