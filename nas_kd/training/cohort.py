"""A cohort from one rung to the next: one student, or several packed into one network.

Suffixes: B examples of a batch, N of a split, C classes, G students.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from time import perf_counter

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from nas_kd.costs.budgets import WHOLE, Shape
from nas_kd.data.transfer import size
from nas_kd.metrics import METRICS
from nas_kd.registry import import_plugins
from nas_kd.schemes import Scheme
from nas_kd.schemes.scheme import round_ends
from nas_kd.students import FAMILIES, build
from nas_kd.students.family import Pack, StudentConfig
from nas_kd.students.packing import own_parts
from nas_kd.students.quantised.aware import aware, only_ranges, without_ranges
from nas_kd.students.taps import listening
from nas_kd.training.adamw import AdamW
from nas_kd.training.batches import memory_format, tensor
from nas_kd.training.calibration import calibrated
from nas_kd.training.checkpoints import RANGES, Tensors, Trained, restore, snapshot, weights
from nas_kd.training.jobs import Member, RungJob, RungResult
from nas_kd.training.loop import Objective, Schedule, answer, derive, fit
from nas_kd.training.objective import of_cohort, of_side_by_side, scheme_of
from nas_kd.training.quantising import in_integers
from nas_kd.training.side_by_side import (
    ROUND,
    Beside,
    SideBySide,
    beside_of,
    by_prefix,
    side_by_side,
)
from nas_kd.workers.memory import out_of_memory
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
    except WeightsDiffer as error:
        (trial,) = (member.trial for member in job.members)
        fault = f"the teacher's weights are of another network ({error})"
        return (RungResult(trial, 0.0, job.stop, 0.0, b"", fault),)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
    if len(job.members) > 1:
        alone = [replace(job, members=(member,)) for member in job.members]
        return tuple(result for one in alone for result in run_rung(one, on_epoch))
    trial = job.members[0].trial
    return (RungResult(trial, 0.0, job.stop, 0.0, b"", f"out of memory by epoch {job.stop}"),)


class WeightsDiffer(Exception):
    """The teacher's weights are of another network than the student that starts from them."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Members in the order of their rows, the deepest first, and the network that holds them."""

    members: tuple[Member, ...]
    network: nn.Module
    optimizer: AdamW
    taught_by: Tensors = field(default_factory=dict)
    """The state of the student of the round before."""

    @property
    def student(self) -> nn.Module:
        """The network that is judged."""
        if isinstance(self.network, SideBySide):
            return self.network.networks[0]
        return self.network

    def own(self, row: int) -> dict[str, Trained]:
        """A member's own state and both moments of its optimizer, as views; and those of what is
        trained beside it, by the prefix of its names."""
        state, first, second = self.network.state_dict(), *self.optimizer.moments
        if isinstance(self.network, SideBySide):
            return by_prefix(state, first, second)
        if len(self.members) == 1:
            parts: dict[str, Trained] = {"": (without_ranges(state), first, second)}
            beside = {RANGES: only_ranges(state), ROUND: self.taught_by}
            return parts | {prefix: (part, {}, {}) for prefix, part in beside.items() if part}
        config = self.members[row].config
        names, own = packed_form(config).names(config), shapes(config.to_json())
        every = (own_parts(whole, own, names, row) for whole in (state, first, second))
        return {"": tuple(every)}  # type: ignore[dict-item]


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


def build_cohort(
    members: Sequence[Member],
    device: torch.device,
    beside: Beside | None = None,
    taught_by: Tensors | None = None,
    qat: bool = False,
) -> Cohort:
    """The members in one network, each from its checkpoint or freshly drawn from its own seed; or
    one member, with what is trained beside it or with the state of the round before. With `qat` a
    member of 8 bits, who is then alone, trains with rounded weights and activations."""
    ranked = tuple(sorted(members, key=lambda member: -member.config.depth))
    drawn = [fresh(member) for member in ranked]
    packed = len(ranked) > 1
    network = drawn[0]
    if packed:
        network = packed_form(ranked[0].config).build([m.config for m in ranked])
    elif beside is not None:
        network = side_by_side(network, ranked[0].config, beside, ranked[0].seed)
    elif qat and ranked[0].config.bits != WHOLE:
        network = aware(network, ranked[0].config.input_shape)
    optimizer = AdamW(
        network.to(device),
        torch.tensor([member.settings["learning_rate"] for member in ranked]),
        torch.tensor([member.weight_decay for member in ranked]),
    )
    cohort = Cohort(ranked, network, optimizer, taught_by or {})
    for row, (member, alone) in enumerate(zip(ranked, drawn, strict=True)):
        if member.checkpoint:
            restore(member.checkpoint, cohort.own(row))
        elif packed:
            state, *_ = cohort.own(row)[""]
            for name, value in alone.state_dict().items():
                state[name].copy_(value)
    return cohort


def fresh(member: Member) -> nn.Module:
    """A member's network as its own seed draws it, or with the teacher's weights. Raises
    WeightsDiffer where those are of another network."""
    torch.manual_seed(member.seed)
    network = build(member.config)
    if member.config.starts_as_teacher and not member.checkpoint:
        assert member.start is not None, "a recipe knows where the teacher's weights lie"
        weights = load_file(member.start)
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise WeightsDiffer(str(error)) from error
    return network


def train(job: RungJob, on_epoch: Callable[[], None]) -> tuple[RungResult, ...]:
    """Train all members in one network; each result is as if the member had been alone.

    At a rung before the last, batch norms are scored with the statistics of fixed training
    examples: those tell far better who will be good (studies/stopping).
    """
    began = perf_counter()
    device = torch.device(job.settings.device)
    scheme = scheme_of(job)
    learn = in_rounds if scheme.rounds > 1 else at_once
    cohort, total_G = learn(job, scheme, device, on_epoch)
    layout = layout_of(cohort)
    at_rung = job.stop < job.settings.epochs
    settled = calibrated(cohort.student, job.data, job.order_seed, layout)
    with settled if at_rung else nullcontext():
        logits_GNC, ranges = answers_of_members(cohort, job, layout, device)
    seconds = (perf_counter() - began) / len(job.members)
    score_G = METRICS[job.settings.metric].score(logits_GNC, truth(job))
    finite_G = total_G.isfinite().tolist()
    faults = [
        fault_of(member, job.stop, finite, float(score))
        for member, finite, score in zip(cohort.members, finite_G, score_G, strict=True)
    ]
    results = {
        member.trial: RungResult(
            member.trial,
            0.0 if faults[row] else float(score_G[row]),
            job.stop,
            seconds,
            snapshot(cohort.own(row), logits_GNC[row], ranges.get(row)),
            faults[row],
        )
        for row, member in enumerate(cohort.members)
    }
    return tuple(results[member.trial] for member in job.members)


@torch.inference_mode()
def answers_of_members(
    cohort: Cohort, job: RungJob, layout: torch.memory_format, device: torch.device
) -> tuple[Tensor, Mapping[int, Tensor]]:
    """The logits [G, N, C] of all members to the judged rows; a member of 8 bits answers in
    integers, whose ranges are given by its row."""
    logits_NC = answer(cohort.student, job.data, job.judged, layout, device).cpu()
    logits_GNC = logits_NC.reshape(len(job.members), -1, logits_NC.shape[-1])
    ranges: dict[int, Tensor] = {}
    for row, member in enumerate(cohort.members):
        if member.config.bits != WHOLE:
            state, *_ = cohort.own(row)[""]
            if found := in_integers(member.config, state, cohort.network, job):
                logits_GNC[row], ranges[row] = found
    return logits_GNC, ranges


def fault_of(member: Member, epoch: int, finite: bool, score: float) -> str | None:
    """Why a result does not count: the loss broke, or a metric of the user's gives no share."""
    if finite:
        return None if 0 <= score <= 1 else f"the metric gives {score}, which is not in 0 to 1"
    taught = float(member.settings["alpha"]) > 0
    term = f" with knowledge {member.settings['knowledge']}" if taught else ""
    return f"the loss{term} was not finite by epoch {epoch}"


def layout_of(cohort: Cohort) -> torch.memory_format:
    """The memory layout in which a cohort trains."""
    return memory_format(cohort.network, [member.config for member in cohort.members])


def at_once(
    job: RungJob, scheme: Scheme, device: torch.device, on_epoch: Callable[[], None]
) -> tuple[Cohort, Tensor]:
    """The cohort, trained, and the sum of its losses [G]."""
    beside = beside_of(job, scheme) if len(job.members) == 1 else None
    cohort = build_cohort(job.members, device, beside, qat=job.settings.qat)
    span = range(job.start, job.stop)
    if beside is None:
        imitated = None if job.signals is None else tensor(job.signals.logits_VNC)
        loss = of_cohort(job, cohort.members, imitated, device)
        return cohort, fitted(job, cohort, loss, job.settings.epochs, span, on_epoch)
    with listening(cohort.student, [tap.name for tap in beside.taps]) as given:
        loss = of_side_by_side(job, scheme, cohort.network, given, beside, device)
        return cohort, fitted(job, cohort, loss, job.settings.epochs, span, on_epoch)[None]


def in_rounds(
    job: RungJob, scheme: Scheme, device: torch.device, on_epoch: Callable[[], None]
) -> tuple[Cohort, Tensor]:
    """One student that is trained anew in each round, by what the one before answers."""
    (member,) = job.members
    cohort, total_G = None, torch.zeros(1, device=device)
    ends = round_ends(job.settings.epochs, scheme.rounds)
    for number, (first, last) in enumerate(pairwise((0, *ends))):
        start, stop = max(first, job.start), min(last, job.stop)
        if start >= stop:
            continue
        begins = start == first
        before = state_before(number, begins, cohort, member)
        own = in_round(number, begins, member)
        logits_VNC = answers_of(own.config, before, job, device) if before else None
        cohort = build_cohort([own], device, taught_by=before)
        loss = of_cohort(job, [own], logits_VNC, device)
        span = range(start - first, stop - first)
        total_G = total_G + fitted(job, cohort, loss, last - first, span, on_epoch)
    assert cohort is not None, "a job has epochs"
    return cohort, total_G


def state_before(number: int, begins: bool, cohort: Cohort | None, member: Member) -> Tensors:
    """The state of the student of the round before this one, which begins or goes on: that which
    was just trained, or that in the member's checkpoint. None in the first round."""
    if number == 0:
        return {}
    if cohort is not None:
        return {name: value.clone() for name, value in cohort.student.state_dict().items()}
    assert member.checkpoint is not None, "the first round has epochs"
    return weights(member.checkpoint, "" if begins else ROUND)


def in_round(number: int, begins: bool, member: Member) -> Member:
    """The member as it is in a round: in the first it has labels only, the others begin anew."""
    if number == 0:
        return replace(member, settings={**member.settings, "alpha": 0.0})
    if begins:
        return replace(member, checkpoint=None, seed=derive(member.seed, "round", number))
    return member


def answers_of(config: StudentConfig, state: Tensors, job: RungJob, device: torch.device) -> Tensor:
    """What a student of this state answers to the train split in every view, [V, N, C]."""
    network = build(config)
    network.load_state_dict(dict(state))
    network.to(device)
    layout = memory_format(network, [config])
    return torch.stack([
        answer(network, job.data, job.data.train, layout, device, how).cpu()
        for how in job.data.views.table()
    ])  # fmt: skip


def fitted(
    job: RungJob,
    cohort: Cohort,
    loss: Objective,
    epochs: int,
    span: range,
    on_epoch: Callable[[], None],
) -> Tensor:
    """Train a cohort through some of so many epochs; the sum of its losses [G]."""
    return fit(
        cohort.network,
        cohort.optimizer,
        loss,
        data=job.data,
        rows=job.data.train,
        schedule=Schedule(epochs, job.settings.batch),
        order_seed=job.order_seed,
        span=span,
        on_epoch=on_epoch,
        layout=layout_of(cohort),
        device=torch.device(job.settings.device),
    )


def truth(job: RungJob) -> Tensor:
    """The class [N] of each judged example, or what the teacher takes it for if the metric
    compares with that."""
    if METRICS[job.settings.metric].of_teacher:
        assert job.signals is not None, "agreement needs the teacher's answers"
        answers_N = tensor(job.signals.answers_N)
        assert len(answers_N) == size(job.judged), "the teacher answered other examples"
        return answers_N
    return tensor(job.data.labels)[slice(*job.judged)]
