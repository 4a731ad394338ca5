"""The loss that a cohort is trained with: its settings, its term, and whom it imitates.

Suffixes: V views, N examples of the train split, B of a batch, C classes, G students.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from nas_kd.data.arrays import LARGE
from nas_kd.data.views import number
from nas_kd.knowledge import Mixture, Outputs, mixture
from nas_kd.knowledge.objective import mixed
from nas_kd.schemes import SCHEMES, Scheme
from nas_kd.training.batches import gather, tensor
from nas_kd.training.jobs import Member, RungJob, TrainSettings
from nas_kd.training.loop import Objective
from nas_kd.training.side_by_side import Beside, Comparison, SideBySide, exit_name

Targets = Callable[[int, Tensor], Tensor]
"""(epoch, index_B) -> logits [B, C], or features [B, ...], to imitate."""


def term_of(members: Sequence[Member]) -> Mixture:
    """The one mixture of a cohort."""
    (name,) = {str(member.settings["knowledge"]) for member in members}
    return mixture(name)


def scheme_of(job: RungJob) -> Scheme:
    """How the members of a job learn: those with alpha 0 alone, in any scheme."""
    taught = any(float(member.settings["alpha"]) > 0 for member in job.members)
    return SCHEMES[job.settings.scheme] if taught else Scheme()


def targets(stored_VN: Tensor, device: torch.device) -> Targets:
    """Stored answers, or what is kept of layers, as the views of an epoch show the examples."""
    views, count = stored_VN.shape[:2]

    @lru_cache(maxsize=1)
    def answers(epoch: int) -> Callable[[Tensor], Tensor]:
        if views == 1:
            return gather(stored_VN[0], device)
        if stored_VN.nbytes < LARGE:
            return gather(stored_VN[number(epoch, count, views), torch.arange(count)], device)
        return lambda index_B: stored_VN[(index_B + epoch) % views, index_B].to(device)

    # with one view, its answers go to a GPU once, not each epoch
    return lambda epoch, index_B: answers(epoch % views)(index_B)


def weight_of(settings: TrainSettings, device: torch.device) -> Tensor | None:
    """The weights [C] of the classes, if they are not one."""
    given = settings.class_weights
    return torch.tensor(given, device=device) if given else None


def of_cohort(
    job: RungJob, members: Sequence[Member], logits_VNC: Tensor | None, device: torch.device
) -> Objective:
    """The loss of all members, each with its own settings, by answers that are stored."""
    term, weight_C = term_of(members), weight_of(job.settings, device)

    def column(setting: str) -> Tensor:
        return torch.tensor([member.settings[setting] for member in members], device=device)

    alpha_G1 = column("alpha")[:, None]
    settings_G11 = {n: column(n)[:, None, None] for n in ("temperature", *term.settings)}
    if logits_VNC is None or not alpha_G1.any():
        assert not alpha_G1.any(), "a student with alpha > 0 needs somebody to imitate"
        return lambda epoch, index_B, student_GBC, label_B: mixed(
            student_GBC, label_B, None, alpha_G1, weight_C
        )
    imitated = targets(logits_VNC, device)

    def loss(epoch: int, index_B: Tensor, student_GBC: Tensor, label_B: Tensor) -> Tensor:
        teacher = Outputs(imitated(epoch, index_B))
        soft_GB = term.loss(Outputs(student_GBC), teacher, label_B, settings_G11)
        return mixed(student_GBC, label_B, soft_GB, alpha_G1, weight_C)

    return loss


def of_side_by_side(
    job: RungJob,
    scheme: Scheme,
    network: nn.Module,
    given: Mapping[str, Tensor],
    beside: Beside,
    device: torch.device,
) -> Objective:
    """The loss of one student that trains beside others, or that imitates its teacher's layers."""
    (member,) = job.members
    assert isinstance(network, SideBySide)
    if scheme.target is None:
        return of_layers(job, member, network, given, beside.comparisons, device)
    exits = [tap.name for tap in beside.exits]
    return of_live(job, member, scheme, network, given, exits, device)


def of_layers(
    job: RungJob,
    member: Member,
    network: SideBySide,
    given: Mapping[str, Tensor],
    comparisons: Sequence[Comparison],
    device: torch.device,
) -> Objective:
    """The loss of one student by what its teacher's layers gave."""
    assert job.signals is not None, "a student with alpha > 0 needs the teacher's signals"
    term, weight_C = term_of([member]), weight_of(job.settings, device)
    settings, alpha = numbers_of(member, term)
    imitated = targets(tensor(job.signals.logits_VNC), device)
    stored = {
        kept.term: [targets(tensor(array), device) for array in kept.arrays]
        for kept in job.signals.kept
    }

    def loss(epoch: int, index_B: Tensor, student_BC: Tensor, label_B: Tensor) -> Tensor:
        ours, theirs = {}, {}
        for one in comparisons:
            kept = tuple(features(epoch, index_B) for features in stored[one.term])
            ours[one.term] = one.of_student(given, network.extra)
            theirs[one.term] = one.of_teacher(kept)
        teacher = Outputs(imitated(epoch, index_B), theirs)
        soft_B = term.loss(Outputs(student_BC, ours), teacher, label_B, settings)
        return mixed(student_BC, label_B, soft_B, alpha, weight_C)

    return loss


def of_live(
    job: RungJob,
    member: Member,
    scheme: Scheme,
    network: SideBySide,
    given: Mapping[str, Tensor],
    exits: Sequence[str],
    device: torch.device,
) -> Objective:
    """The loss of one student and those that are trained beside it, who imitate each other; the
    sum over all of them."""
    term, weight_C = term_of([member]), weight_of(job.settings, device)
    settings, alpha = numbers_of(member, term)
    assert scheme.target is not None, "somebody is imitated"
    target, count = scheme.target, len(network.networks) + len(exits)
    alpha_G1 = torch.full((count, 1), alpha)
    alpha_G1[list(scheme.labels_only)] = 0.0
    alpha_G1 = alpha_G1.to(device)

    def loss(epoch: int, index_B: Tensor, live_GBC: Tensor, label_B: Tensor) -> Tensor:
        if exits:
            heads = [network.extra[exit_name(n)](given[tap]) for n, tap in enumerate(exits)]
            live_GBC = torch.stack([live_GBC, *heads])
        elif live_GBC.ndim == 2:
            live_GBC = live_GBC[None]
        target_GBC = target(live_GBC.detach())
        soft_GB = term.loss(Outputs(live_GBC), Outputs(target_GBC), label_B, settings)
        if soft_GB.ndim > 2:
            soft_GB = soft_GB.mean(0)
        return mixed(live_GBC, label_B, soft_GB, alpha_G1, weight_C).sum(0)

    return loss


def numbers_of(member: Member, term: Mixture) -> tuple[dict[str, float | Tensor], float]:
    """A member's settings that the term reads, and its alpha."""
    names = ("temperature", *term.settings)
    return {n: float(member.settings[n]) for n in names}, float(member.settings["alpha"])
