"""Two jobs that give a teacher: training one, and taking the user's own.

Suffixes: N examples, C classes.
"""

import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from time import perf_counter

import torch
from safetensors.torch import save
from torch import nn
from torch.nn.functional import cross_entropy

from nas_kd.costs.budgets import Shape
from nas_kd.data.transfer import TransferSet, shape_in_words, size
from nas_kd.errors import NasKDError, UnusableTeacher
from nas_kd.metrics import METRICS
from nas_kd.registry import import_plugins
from nas_kd.teachers.adapting import Adapted, TeacherInput, choose, prepare, probabilities
from nas_kd.teachers.loading import (
    FROM_PYTHON,
    TRAINED,
    Teacher,
    TeacherReport,
    create,
    fingerprint,
    load_and_tell,
    sizes,
    state,
)
from nas_kd.teachers.steady import expect_steady
from nas_kd.training import BATCH, AdamW, Schedule, answer, derive, fit, normaliser, shared, tensor
from nas_kd.workers.reproducible import computes_as, reproducible

VISITS = 120_000
"""A teacher sees so many examples, if that takes no more than MOST_EPOCHS."""
MOST_EPOCHS = 60
VIEWS = 25
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.05

TRAINING = 2
"""A number to raise with each change of how a teacher trains, so that older ones are not taken."""


@dataclass(frozen=True, slots=True)
class TeacherJob:
    """Make this teacher ready, on this data."""

    teacher: Teacher
    data: TransferSet
    epochs: int
    seed: int
    device: str = "cpu"
    metric: str = "accuracy"
    class_weights: tuple[float, ...] = ()
    plugins: tuple[str, ...] = ()
    threads: int = 1
    """How many may train it at once. What it learns does not depend on it."""


def training_key(job: TeacherJob) -> str:
    """A name for all that decides a trained teacher; how many threads train it does not."""
    teacher = job.teacher
    facts = (
        TRAINING, LEARNING_RATE, WEIGHT_DECAY, VIEWS, BATCH, teacher.target, teacher.input_shape,
        teacher.classes, teacher.width, job.data.key, job.epochs, job.seed, job.metric,
        job.class_weights, computes_as(job.device),
    )  # fmt: skip
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def teacher_epochs(data: TransferSet, search_epochs: int) -> int:
    """Epochs for a trained teacher: it sees VISITS examples, or as many as a student if those are
    more, in MOST_EPOCHS at most."""
    visits = max(VISITS, search_epochs * size(data.train))
    return min(MOST_EPOCHS, -(-visits // size(data.teacher)))


@reproducible()
def make_teacher(job: TeacherJob, on_epoch: Callable[[], None] = lambda: None) -> TeacherReport:
    """Train the teacher, or load the user's own, and score it on the validation split."""
    import_plugins(job.plugins)
    began = perf_counter()
    notes: tuple[str, ...] = ()
    if job.teacher.target == TRAINED:
        network = train(job, on_epoch)
    else:
        network, notes = load_and_tell(job.teacher)
        notes += converted(network, job.data)
        if job.teacher.weights is None and not job.teacher.target.startswith(FROM_PYTHON):
            notes += ("no --teacher-weights: it has the weights that its function gives",)
    accuracy = score(network, job.teacher, job.data, job.metric)
    if job.teacher.target != TRAINED:
        expect_steady(network, job.data, f"teacher {job.teacher.target!r}")
    shape = seen_shape(job.teacher.expects, job.data.input_shape)
    parameters, macs, alive = sizes(network, shape)
    return TeacherReport(
        weights=save(state(network)),
        sha256=fingerprint(network),
        accuracy=accuracy,
        parameters=parameters,
        macs=macs,
        activations=alive,
        seconds=perf_counter() - began,
        notes=notes,
        probabilities=isinstance(network, Adapted) and network.expects.probabilities,
    )


def seen_shape(expects: TeacherInput, input_shape: Shape) -> Shape:
    """The shape of an example as the teacher's own network sees it."""
    channels, *sides = input_shape
    return (
        3 if expects.colour and channels == 1 else channels,
        *([expects.size] * 2 if expects.size else sides),
    )


@torch.inference_mode()
def converted(network: nn.Module, data: TransferSet) -> tuple[str, ...]:
    """Set what the adapter does to the teacher's answers, by those to a few validation examples,
    and give it in words."""
    if not isinstance(network, Adapted):
        return ()
    first, last = data.validation
    images = tensor(data.examples)[first : min(last, first + 64)]
    try:
        found = network.network(prepare(normaliser(data)(images), network.expects))
    except Exception:
        return ()  # `score` says what is wrong
    classes, output = network.classes, network.expects.output
    chosen_BC = choose(found, len(images), classes, output, network.name)
    whose = "its own" if network.expects.mean is not None else "the data's"
    side = shape_in_words(seen_shape(network.expects, data.input_shape))
    notes: tuple[str, ...] = (f"sees {side}, with {whose} normalisation",)
    if probabilities(chosen_BC):
        network.expects = replace(network.expects, probabilities=True)
        notes += ("its outputs are probabilities; their logarithms are used as logits",)
    return notes


def train(job: TeacherJob, on_epoch: Callable[[], None]) -> nn.Module:
    """A wide network trained on shifted and flipped views; its last epoch counts."""
    torch.manual_seed(derive(job.seed, "teacher"))
    device = torch.device(job.device)
    network = create(job.teacher).to(device)
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
            order_seed=derive(job.seed, "teacher order"),
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


def score(network: nn.Module, teacher: Teacher, data: TransferSet, metric: str) -> float:
    """The metric on the validation split. Raises UnusableTeacher for answers of the wrong form."""
    given = f"teacher {teacher.target!r}"
    right = f"It must give logits [B, {teacher.classes}] for examples {data.input_shape}."
    try:
        logits_NC = answer(network, data, data.validation)
    except NasKDError:
        raise
    except Exception as error:
        raise UnusableTeacher(given, f"fails on the data ({error})", right) from error
    if logits_NC.shape != (size(data.validation), teacher.classes):
        wrong = f"answers with shape {tuple(logits_NC.shape)}"
        raise UnusableTeacher(given, wrong, right)
    if not logits_NC.isfinite().all():
        raise UnusableTeacher(given, "answers NaN or infinity", "Check its weights and inputs.")
    labels_N = tensor(data.labels)[slice(*data.validation)]
    return float(METRICS[metric].score(logits_NC, labels_N))
