"""A cohort from one rung to the next: one student, or several packed into one network.

Suffixes: B examples of a batch, N of a split, C classes, G students.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from time import perf_counter

import torch
from torch import Tensor, nn

from nas_kd.costs.budgets import Shape
from nas_kd.data.transfer import size
from nas_kd.knowledge import KNOWLEDGE
from nas_kd.knowledge.objective import mixed
from nas_kd.metrics import METRICS
from nas_kd.registry import import_plugins
from nas_kd.schemes import SCHEMES
from nas_kd.students import FAMILIES, build
from nas_kd.students.family import Pack, StudentConfig
from nas_kd.students.packing import own_parts
from nas_kd.training.adamw import AdamW
from nas_kd.training.batches import gather, memory_format, tensor
from nas_kd.training.calibration import calibrated
from nas_kd.training.checkpoints import restore, snapshot
from nas_kd.training.jobs import Member, RungJob, RungResult
from nas_kd.training.loop import Objective, Schedule, answer, fit
from nas_kd.workers.reproducible import reproducible


@reproducible()
def run_rung(job: RungJob, on_epoch: Callable[[], None] = lambda: None) -> tuple[RungResult, ...]:
    """One result a member, in order. Pure but for `on_epoch`.

    A cohort that runs out of memory is run again member by member; a member that does alone is at
    fault. Raises Unusable for a plug-in that cannot be imported.
    """
    import_plugins(job.settings.plugins)
    try:
        return train(job, on_epoch)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
    if len(job.members) > 1:
        alone = [replace(job, members=(member,)) for member in job.members]
        return tuple(result for one in alone for result in run_rung(one, on_epoch))
    trial = job.members[0].trial
    return (RungResult(trial, 0.0, job.stop, 0.0, b"", f"out of memory by epoch {job.stop}"),)


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that there was not enough memory, on a CPU or a GPU."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "allocate memory" in str(error)
    )


Tensors = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Cohort:
    """Members in the order of their rows, the deepest first, and the network that holds them."""

    members: tuple[Member, ...]
    network: nn.Module
    optimizer: AdamW

    def own(self, row: int) -> tuple[Tensors, Tensors, Tensors]:
        """A member's own state and both moments of its optimizer, as views."""
        state, first, second = self.network.state_dict(), *self.optimizer.moments
        if len(self.members) == 1:
            return state, first, second
        config = self.members[row].config
        names, own = packed_form(config).names(config), shapes(config.to_json())
        return (
            own_parts(state, own, names, row),
            own_parts(first, own, names, row),
            own_parts(second, own, names, row),
        )


def packed_form(config: StudentConfig) -> Pack:
    """How the students of this one's family are packed."""
    pack = FAMILIES[config.family].pack
    assert pack is not None, f"students of the family {config.family} train one by one"
    return pack


@lru_cache(maxsize=1024)
def shapes(config: str) -> dict[str, Shape]:
    """The shape of each tensor of a student."""
    with torch.device("meta"):
        state = build(StudentConfig.from_json(config)).state_dict()
    return {name: tuple(value.shape) for name, value in state.items()}


def build_cohort(members: Sequence[Member], device: torch.device) -> Cohort:
    """The members in one network, each from its checkpoint or freshly drawn from its own seed."""
    ranked = tuple(sorted(members, key=lambda member: -member.config.depth))
    one = ranked[0]
    drawn = [fresh(member) for member in ranked]
    packed = len(ranked) > 1
    network = packed_form(one.config).build([m.config for m in ranked]) if packed else drawn[0]
    optimizer = AdamW(
        network.to(device),
        torch.tensor([member.settings["learning_rate"] for member in ranked]),
        torch.tensor([member.weight_decay for member in ranked]),
    )
    cohort = Cohort(ranked, network, optimizer)
    for row, (member, alone) in enumerate(zip(ranked, drawn, strict=True)):
        state, *moments = cohort.own(row)
        if member.checkpoint:
            restore(member.checkpoint, state, *moments)
        elif packed:
            for name, value in alone.state_dict().items():
                state[name].copy_(value)
    return cohort


def fresh(member: Member) -> nn.Module:
    """A member's network as its own seed draws it."""
    torch.manual_seed(member.seed)
    return build(member.config)


def train(job: RungJob, on_epoch: Callable[[], None]) -> tuple[RungResult, ...]:
    """Train all members in one network; each result is as if the member had been alone.

    At a rung before the last, batch norms are scored with the statistics of fixed training
    examples: those tell far better who will be good (studies/stopping).
    """
    began = perf_counter()
    device = torch.device(job.settings.device)
    cohort = build_cohort(job.members, device)
    layout = memory_format(cohort.network, [member.config for member in job.members])
    total_G = fit(
        cohort.network,
        cohort.optimizer,
        objective(job, cohort.members, device),
        data=job.data,
        rows=job.data.train,
        schedule=Schedule(job.settings.epochs, job.settings.batch),
        order_seed=job.order_seed,
        span=range(job.start, job.stop),
        on_epoch=on_epoch,
        layout=layout,
        device=device,
    )
    at_rung = job.stop < job.settings.epochs
    settled = calibrated(cohort.network, job.data, job.order_seed, layout)
    with settled if at_rung else nullcontext():
        logits_NC = answer(cohort.network, job.data, job.judged, layout, device).cpu()
    seconds = (perf_counter() - began) / len(job.members)
    logits_GNC = logits_NC.reshape(len(job.members), -1, logits_NC.shape[-1])
    score_G = METRICS[job.settings.metric].score(logits_GNC, truth(job))
    finite_G = total_G.isfinite().tolist()
    results = {
        member.trial: RungResult(
            member.trial,
            float(score_G[row]) if finite_G[row] else 0.0,
            job.stop,
            seconds,
            snapshot(*cohort.own(row), logits_GNC[row]),
            None if finite_G[row] else f"the loss was not finite by epoch {job.stop}",
        )
        for row, member in enumerate(cohort.members)
    }
    return tuple(results[member.trial] for member in job.members)


def truth(job: RungJob) -> Tensor:
    """The class [N] of each judged example, or what the teacher takes it for if the metric
    compares with that."""
    if METRICS[job.settings.metric].of_teacher:
        assert job.signals is not None, "agreement needs the teacher's answers"
        answers_N = tensor(job.signals.answers_N)
        assert len(answers_N) == size(job.judged), "the teacher answered other examples"
        return answers_N
    return tensor(job.data.labels)[slice(*job.judged)]


def objective(job: RungJob, members: Sequence[Member], device: torch.device) -> Objective:
    """The loss of all members, each with its own settings."""
    (name,) = {str(member.settings["knowledge"]) for member in members}
    term = KNOWLEDGE[name]

    def column(setting: str) -> Tensor:
        return torch.tensor([member.settings[setting] for member in members], device=device)

    alpha_G1 = column("alpha")[:, None]
    settings_G11 = {n: column(n)[:, None, None] for n in ("temperature", *term.settings)}
    given = job.settings.class_weights
    weight_C = torch.tensor(given, device=device) if given else None
    if job.signals is None or not alpha_G1.any():
        assert not alpha_G1.any(), "a student with alpha > 0 needs the teacher's signals"
        return lambda epoch, index_B, student_GBC, label_B: mixed(
            student_GBC, label_B, None, term, settings_G11, alpha_G1, weight_C
        )
    logits_VNC = tensor(job.signals.logits_VNC)
    scheme = SCHEMES[job.settings.scheme]
    answers = lru_cache(maxsize=1)(lambda epoch: gather(scheme(logits_VNC, epoch), device))
    views = len(logits_VNC)  # with one, its answers go to a GPU once, not each epoch
    return lambda epoch, index_B, student_GBC, label_B: mixed(
        student_GBC,
        label_B,
        answers(epoch % views)(index_B),
        term,
        settings_G11,
        alpha_G1,
        weight_C,
    )
