"""The hot loop: students from one rung to the next.

- The arrays are memory-mapped once a process; a batch is an index gather.
- The order of examples comes from (order seed, epoch), the same for every trial; a member's own
  seed draws its initial weights and nothing else, so nothing random is in a checkpoint.
- The network is in train mode at every step; the loss stays a tensor until the rung ends.
- One torch thread (see `nas_kd/study/worker.py`): results are the same bit for bit.

Suffixes: B examples of a batch, N of a split, C classes.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi
from time import perf_counter

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from nas_kd.data.arrays import ArrayRef
from nas_kd.data.signals import Signals
from nas_kd.data.transfer import Rows, TransferSet
from nas_kd.data.views import seen
from nas_kd.knowledge import KNOWLEDGE
from nas_kd.knowledge.objective import mixed
from nas_kd.registry import import_plugins
from nas_kd.schemes import SCHEMES
from nas_kd.students import build
from nas_kd.students.family import StudentConfig

PROOF = 64
"""How many validation examples a finished student answers, so that a copy can prove itself."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """What all students of a study share."""

    epochs: int
    batch: int
    weight_decay: float
    scheme: str = "offline"
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """One student of a job, with what is its own."""

    trial: int
    config: StudentConfig
    temperature: float
    alpha: float
    learning_rate: float
    knowledge: str
    seed: int
    checkpoint: bytes | None = None


@dataclass(frozen=True, slots=True)
class RungJob:
    """Train these members through the epochs [start, stop)."""

    members: tuple[Member, ...]
    data: TransferSet
    signals: Signals | None
    settings: TrainSettings
    order_seed: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class RungResult:
    """A member at its rung: validation accuracy, and a checkpoint unless it is at fault."""

    trial: int
    accuracy: float
    epochs: int
    seconds: float
    checkpoint: bytes
    fault: str | None = None


def run_rung(
    job: RungJob, on_epoch: Callable[[int], None] = lambda trial: None
) -> tuple[RungResult, ...]:
    """One result a member, in order. Pure but for `on_epoch`, called with the trial's number."""
    import_plugins(job.settings.plugins)
    return tuple(train_member(job, member, on_epoch) for member in job.members)


def train_member(job: RungJob, member: Member, on_epoch: Callable[[int], None]) -> RungResult:
    """Train one member from its checkpoint, or from fresh weights, to the rung."""
    began = perf_counter()
    torch.manual_seed(member.seed)
    network = channels_last(build(member.config))
    optimizer = adamw(network, job.settings.weight_decay)
    if member.checkpoint:
        restore(member.checkpoint, network, optimizer)
    finite = fit(
        network,
        optimizer,
        objective(job, member),
        examples=job.data,
        rows=job.data.train,
        schedule=Schedule(member.learning_rate, job.settings.epochs, job.settings.batch),
        order_seed=job.order_seed,
        span=range(job.start, job.stop),
        on_epoch=lambda: on_epoch(member.trial),
    )
    fault = None if finite else f"the loss was not finite by epoch {job.stop}"
    answers_NC = answer(network, job.data, job.data.validation)
    labels_N = tensor(job.data.labels)[slice(*job.data.validation)]
    accuracy = float((answers_NC.argmax(-1) == labels_N).double().mean()) if finite else 0.0
    checkpoint = snapshot(network, optimizer, answers_NC[:PROOF])
    return RungResult(member.trial, accuracy, job.stop, perf_counter() - began, checkpoint, fault)


Objective = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(epoch, index_B, student_BC, label_B) -> [B], the loss of each example."""


def objective(job: RungJob, member: Member) -> Objective:
    """The loss of a member, with its own temperature and alpha."""
    term = KNOWLEDGE[member.knowledge]
    if member.alpha == 0 or job.signals is None:
        assert member.alpha == 0, "a student with alpha > 0 needs the teacher's signals"
        return lambda epoch, index_B, student_BC, label_B: mixed(
            student_BC, label_B, None, term, 1.0, 0.0
        )
    logits_VNC = tensor(job.signals.logits_VNC)
    scheme = SCHEMES[job.settings.scheme]
    per_epoch = lru_cache(maxsize=1)(lambda epoch: scheme(logits_VNC, epoch))
    return lambda epoch, index_B, student_BC, label_B: mixed(
        student_BC, label_B, per_epoch(epoch)[index_B], term, member.temperature, member.alpha
    )


@dataclass(frozen=True, slots=True)
class Schedule:
    """A one-cycle learning rate: up to `peak` over 30% of the steps, then down to nothing.

    Smith, Topin 2017, "Super-Convergence", https://arxiv.org/abs/1708.07120
    """

    peak: float
    epochs: int
    batch: int

    def rate(self, step: int, steps: int) -> float:
        """The learning rate at a step of the whole training."""
        done, rise = step / steps, 0.3
        if done < rise:
            return self.peak * (0.04 + 0.96 * (1 - cos(pi * done / rise)) / 2)
        return self.peak * (1 + cos(pi * (done - rise) / (1 - rise))) / 2


def fit(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Objective,
    *,
    examples: TransferSet,
    rows: Rows,
    schedule: Schedule,
    order_seed: int,
    span: range,
    on_epoch: Callable[[], None],
    precision: torch.dtype = torch.float32,
) -> bool:
    """Train through the epochs of `span`; False if the loss was ever not finite."""
    images_NCHW = tensor(examples.images)[slice(*rows)]
    label_N = tensor(examples.labels)[slice(*rows)]
    normalise = normaliser(examples)
    total = torch.zeros(())
    network.train()
    for epoch in span:
        seen_NCHW = seen(images_NCHW, examples.views, epoch)
        batches = list(order(order_seed, epoch, len(label_N), schedule.batch))
        for number, index_B in enumerate(batches, epoch * len(batches)):
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate(number, schedule.epochs * len(batches))
            with torch.autocast("cpu", precision, enabled=precision != torch.float32):
                student_BC = network(normalise(seen_NCHW[index_B]))
            value = loss(epoch, index_B, student_BC.float(), label_N[index_B]).mean()
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += value.detach()
        on_epoch()
    return bool(total.isfinite())


def order(seed: int, epoch: int, count: int, batch: int) -> Iterator[Tensor]:
    """Index batches [B] of one epoch, near equal in size, drawn from (seed, epoch)."""
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    shuffled = torch.randperm(count, generator=generator)
    yield from shuffled.tensor_split(max(1, -(-count // batch)))


def derive(seed: int, *parts: str | int) -> int:
    """A seed of its own for each purpose, from the study's seed."""
    text = "/".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def channels_last(network: nn.Module) -> nn.Module:
    """A convolutional network in the memory layout that is faster on a CPU, by 1.3 times here."""
    if any(isinstance(part, nn.Conv2d) for part in network.modules()):
        return network.to(memory_format=torch.channels_last)
    return network


def adamw(network: nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """AdamW whose decay spares norms and biases, which have one dimension."""
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, fused=True)


@lru_cache(maxsize=8)
def tensor(array: ArrayRef) -> Tensor:
    """A memory-mapped array as a tensor that shares its memory; never written to."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array.open())


def normaliser(examples: TransferSet) -> Callable[[Tensor], Tensor]:
    """From images as stored to float32 with mean 0 and deviation 1, channel by channel."""
    mean = torch.tensor(examples.mean).view(-1, 1, 1)
    scale = 1 / torch.tensor(examples.std).view(-1, 1, 1)

    def normalise(images_BCHW: Tensor) -> Tensor:
        laid_out_BCHW = images_BCHW.contiguous(memory_format=torch.channels_last)
        return (laid_out_BCHW.float() - mean) * scale

    return normalise


@torch.inference_mode()
def answer(network: nn.Module, examples: TransferSet, rows: Rows) -> Tensor:
    """The network's logits [N, C] for these rows, plain view, in eval mode."""
    was_training = network.training
    network.eval()
    normalise = normaliser(examples)
    parts = tensor(examples.images)[slice(*rows)].split(512)
    logits_NC = torch.cat([network(normalise(part)).float() for part in parts])
    network.train(was_training)
    return logits_NC


def snapshot(network: nn.Module, optimizer: torch.optim.Optimizer, proof_NC: Tensor) -> bytes:
    """A checkpoint as safetensors: weights, both moments of AdamW, its step, the proof's logits."""
    tensors = {f"model.{name}": value for name, value in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state[parameter].items():
            tensors[f"{key}.{name}"] = value
    return save({name: v.contiguous() for name, v in tensors.items()} | {"proof": proof_NC})


def restore(checkpoint: bytes, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Set the network and the optimizer to where a checkpoint left them."""
    tensors = load(checkpoint)
    network.load_state_dict(weights(checkpoint))
    for name, parameter in network.named_parameters():
        moments = {key: tensors[f"{key}.{name}"] for key in ("exp_avg", "exp_avg_sq")}
        # the fused step walks memory, so the moments need the layout of their parameter
        kept = {key: torch.empty_like(parameter).copy_(value) for key, value in moments.items()}
        optimizer.state[parameter] = {"step": tensors[f"step.{name}"], **kept}


def weights(checkpoint: bytes) -> dict[str, Tensor]:
    """The weights in a checkpoint, by their names in the network."""
    return {
        name.removeprefix("model."): value
        for name, value in load(checkpoint).items()
        if name.startswith("model.")
    }
