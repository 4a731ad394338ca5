"""`train`, the teacher that is trained when none is given: a wide network for the data."""

import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nas_kd.data.transfer import TransferSet, size
from nas_kd.teachers.jobs import TeacherJob
from nas_kd.teachers.network import wide
from nas_kd.teachers.networks import of_network
from nas_kd.teachers.teacher import Answerer, Teacher, TeacherKind
from nas_kd.training import BATCH, AdamW, Schedule, derive, fit, shared
from nas_kd.workers.reproducible import computes_as

VISITS = 120_000
"""A teacher sees so many examples, if that takes no more than MOST_EPOCHS."""
MOST_EPOCHS = 60
VIEWS = 25
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.05

TRAINING = 3
"""A number to raise with each change of how a teacher trains, so that older ones are not taken."""


def network_of(teacher: Teacher) -> nn.Module:
    """Its network, before it is trained."""
    return wide(teacher.input_shape, teacher.classes, teacher.width)


def parameters_of(teacher: Teacher) -> int:
    """How many it will have, for budgets that are a share of it."""
    with torch.device("meta"):
        return sum(value.numel() for value in network_of(teacher).parameters())


def untrained(teacher: Teacher, data: TransferSet) -> Answerer:
    """A trained teacher before its training, for the shapes of its layers only."""
    return of_network(network_of(teacher), teacher, data, "cpu")


def open_trained(teacher: Teacher, data: TransferSet, device: str) -> Answerer:
    """The network with the weights that it was trained to. Raises UnusableTeacher."""
    return of_network(network_of(teacher), teacher, data, device, teacher.weights)


def training_key(job: TeacherJob) -> str:
    """A name for all that decides a trained teacher; how many threads train it does not."""
    teacher = job.teacher
    facts = (
        TRAINING, LEARNING_RATE, WEIGHT_DECAY, VIEWS, BATCH, teacher.identity, teacher.input_shape,
        teacher.classes, teacher.width, job.data.key, job.epochs, seed_of(job), job.metric,
        job.class_weights, computes_as(job.device),
    )  # fmt: skip
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def seed_of(job: TeacherJob) -> int:
    """The study's seed, or for further members of an ensemble one of their own."""
    member = job.teacher.member
    return derive(job.seed, "member", member) if member else job.seed


def teacher_epochs(data: TransferSet, search_epochs: int) -> int:
    """Epochs for a trained teacher: it sees VISITS examples, or as many as a student if those are
    more, in MOST_EPOCHS at most."""
    visits = max(VISITS, search_epochs * size(data.train))
    return min(MOST_EPOCHS, -(-visits // size(data.teacher)))


def train(job: TeacherJob, on_epoch: Callable[[], None]) -> nn.Module:
    """A wide network trained on shifted and flipped views; its last epoch counts."""
    torch.manual_seed(derive(seed_of(job), "teacher"))
    device = torch.device(job.device)
    network = network_of(job.teacher).to(device)
    seen_as = replace(job.data.views, count=VIEWS if job.data.views.sides else 1)
    weight_C = torch.tensor(job.class_weights, device=device) if job.class_weights else None
    optimizer = AdamW(network, torch.tensor([LEARNING_RATE]), torch.tensor([WEIGHT_DECAY]))
    with shared(network, job.threads) if worth_sharing(job) else nullcontext() as learn:
        fit(
            network,
            optimizer,
            lambda epoch, index_B, answer_BC, label_B: cross_entropy(
                answer_BC, label_B, weight_C, reduction="none"
            ),
            data=replace(job.data, views=seen_as),
            rows=job.data.teacher,
            schedule=Schedule(job.epochs, BATCH),
            order_seed=derive(seed_of(job), "teacher order"),
            span=range(job.epochs),
            on_epoch=on_epoch,
            precision=precision(device),
            device=device,
            learn=learn,
        )
    return network.to("cpu")


def worth_sharing(job: TeacherJob) -> bool:
    """Whether the teacher's batches are cut into shares, which threads can compute at once.

    They are cut on the CPU only, and not for tables, whose shares are too little work.
    """
    return job.device == "cpu" and len(job.data.input_shape) > 1


def precision(device: torch.device) -> torch.dtype:
    """Of a step's arithmetic; weights and answers are float32 in any case.

    bfloat16 halves the time of these widths where a device has instructions for it. A processor
    without them takes ten times as long (studies/overhead).
    """
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


TRAINED_HERE = TeacherKind(open=open_trained)
