"""From a trained student to its quantised program.

Activations have one code a tensor, whose range is what 1,024 fixed training examples reach.

Suffixes: R values that need a code.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, fx, nn

from nas_kd.costs.budgets import Shape
from nas_kd.errors import Unusable
from nas_kd.students.quantised.chains import RIGHT, Chain
from nas_kd.students.quantised.forms import FORMS, entry
from nas_kd.students.quantised.operations import Code, Dequantise, Operation, Program, Shift, Step
from nas_kd.students.quantised.plan import Plan, code_of, planned

LOGITS = "the logits"
"""The last step's name where logits are dequantised: none that a network's own step can have."""


def expect_quantisable(network: nn.Module, input_shape: Shape) -> None:
    """Raise Unusable for a network on the CPU, in eval mode, that has no 8-bit form."""
    plan = planned(network, input_shape)
    channels = input_shape[0]
    ranges = torch.tensor([[-1.0, 1.0]]).repeat(len(plan.coded), 1)
    program = lowered(plan, ranges, (0.0,) * channels, (1.0,) * channels)
    program(torch.zeros(2, *input_shape))


@torch.no_grad()
def lowered(plan: Plan, ranges_R2: Tensor, mean: Iterable[float], std: Iterable[float]) -> Program:
    """The program of a plan, whose examples are normalised channel by channel.

    Raises Unusable for an operation whose form has no 8-bit counterpart here.
    """
    ends = zip(plan.coded, ranges_R2.tolist(), strict=True)
    codes = {node: code_of(*ends) for node, ends in ends}
    steps: list[Step] = []
    names: dict[fx.Node, str] = {}
    for chain in plan.chains:
        reads = plan.reads(chain)
        if chain.kind == "same":
            names[chain.end], codes[chain.end] = names[reads[0]], codes[reads[0]]
            continue
        operation: Operation
        if chain.kind == "input":
            operation = entry(tuple(mean), tuple(std), codes[chain.end])
        else:
            read = [codes[node] for node in reads]
            operation = FORMS[chain.kind](plan, chain, read, codes.get(chain.end))
        if operation.out is not None:
            codes[chain.end] = operation.out
        names[chain.end] = chain.first.name
        steps.append(Step(chain.first.name, operation, tuple(names[node] for node in reads),
                          plan.shapes[chain.end], layers_of(chain)))  # fmt: skip
    return Program(joined([*steps, *end_of(plan, steps, names, codes)]))


def layers_of(chain: Chain) -> tuple[str, ...]:
    """The names of the layers that a chain has."""
    parts = (node for node in (chain.first, chain.norm) if node is not None)
    return tuple(dict.fromkeys(str(node.target) for node in parts if node.op == "call_module"))


def end_of(
    plan: Plan, steps: list[Step], names: dict[fx.Node, str], codes: dict[fx.Node, Code]
) -> list[Step]:
    """What makes logits of the last step's integers, if they are integers. Raises Unusable for a
    network that answers something else than logits."""
    (answer,) = (node for node in plan.graph.graph.nodes if node.op == "output")
    given = answer.args[0]
    if not isinstance(given, fx.Node) or given not in plan.shapes or len(plan.shapes[given]) != 1:
        shape = plan.shapes.get(given) if isinstance(given, fx.Node) else type(given).__name__
        wrong = f"cannot be quantised: it answers {shape}, not a logit for each class"
        raise Unusable("the student", wrong, RIGHT)
    assert steps[-1].name == names[given], "what nobody reads was left out"
    if given not in codes:
        return []
    return [Step(LOGITS, Dequantise(codes[given]), (names[given],), plan.shapes[given])]


def joined(steps: list[Step]) -> tuple[Step, ...]:
    """The steps, with a strided map that is padded at once as one step."""
    found: list[Step] = []
    for step in steps:
        last = found[-1] if found else None
        if last is not None and can_join(steps, last, step):
            before, after = last.operation, step.operation
            assert isinstance(before, Shift)
            assert isinstance(after, Shift)
            one = Shift(after.out, before.steps, after.before, after.after)
            found[-1] = Step(step.name, one, last.reads, step.shape, step.layers)
        else:
            found.append(step)
    return tuple(found)


def can_join(steps: list[Step], last: Step, step: Step) -> bool:
    """Whether one step takes positions, and the next, which alone reads it, adds channels."""
    before, after = last.operation, step.operation
    return (
        isinstance(before, Shift)
        and isinstance(after, Shift)
        and step.reads == (last.name,)
        and sum(last.name in one.reads for one in steps) == 1
        and before.before == before.after == 0
        and all(stride == 1 for stride in after.steps)
    )
