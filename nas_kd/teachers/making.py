"""Making a teacher ready: training one or opening the user's own, and looking at its answers.

Suffixes: N examples, C classes.
"""

from collections.abc import Callable
from time import perf_counter

from safetensors.torch import save

from nas_kd.data.source import UNLABELLED
from nas_kd.data.transfer import TransferSet, size
from nas_kd.errors import UnusableTeacher
from nas_kd.metrics import METRICS
from nas_kd.registry import import_plugins
from nas_kd.spec.teachers import TRAINED
from nas_kd.teachers import opened
from nas_kd.teachers.asking import FIXED, answers_to, known_by
from nas_kd.teachers.jobs import TeacherJob, TeacherReport
from nas_kd.teachers.networks import answering, inner, made_of, seen_shape, sizes, state
from nas_kd.teachers.steady import expect_steady
from nas_kd.teachers.teacher import Answerer, Teacher
from nas_kd.teachers.trained import train
from nas_kd.training import tensor
from nas_kd.workers.reproducible import reproducible


@reproducible()
def make_teacher(job: TeacherJob, on_epoch: Callable[[], None] = lambda: None) -> TeacherReport:
    """Train the teacher, or open the user's own, and score it on the validation split."""
    import_plugins(job.plugins)
    began, teacher, data = perf_counter(), job.teacher, job.data
    if teacher.kind == TRAINED and teacher.weights is None:
        network = train(job, on_epoch).eval().requires_grad_(False)
        answerer = Answerer(answer=answering(network, data, "cpu"), network=network)
        notes: tuple[str, ...] = ()
    else:
        answerer = opened(teacher, data)
        notes = answerer.notes
    expect_form(answerer, teacher, data)
    if teacher.kind != TRAINED:
        expect_steady(answerer, data, f"teacher {teacher.target!r}")
    parameters, macs, alive = counted(answerer, teacher, data)
    return TeacherReport(
        weights=weights_of(answerer),
        sha256=made_of(answerer),
        answers_MC=known_by(answerer, data),
        accuracy=score(answerer, data, job.metric),
        parameters=parameters,
        macs=macs,
        activations=alive,
        seconds=perf_counter() - began,
        notes=notes,
    )


def weights_of(answerer: Answerer) -> bytes | None:
    """A network's state, to be kept; None where a file is kept, or there is no state."""
    if answerer.network is None or answerer.sha256:
        return None
    found = state(answerer.network)
    return save(found) if found else None


def counted(
    answerer: Answerer, teacher: Teacher, data: TransferSet
) -> tuple[int | None, int | None, int | None]:
    """Parameters, and MACs and activations of one example, where they can be counted."""
    if answerer.network is None or not inner(answerer.network).state_dict():
        return answerer.parameters, None, None
    return sizes(answerer.network, seen_shape(teacher.expects, data.input_shape))


def expect_form(answerer: Answerer, teacher: Teacher, data: TransferSet) -> None:
    """Raise UnusableTeacher for answers of the wrong form, to a few training examples and to all
    of the validation split that it knows."""
    given = f"teacher {teacher.target!r}"
    first, last = data.labelled
    for rows in ((first, min(last, first + FIXED)), data.validation):
        if not answerer.knows(*rows):
            continue
        logits_NC = answers_to(answerer, data, rows, given)
        if logits_NC.shape != (size(rows), teacher.classes):
            wrong = f"answers with shape {tuple(logits_NC.shape)}"
            right = f"It must give logits [B, {teacher.classes}] for examples {data.input_shape}."
            raise UnusableTeacher(given, wrong, right)
        if not logits_NC.isfinite().all():
            raise UnusableTeacher(given, "answers NaN or infinity", "Check its weights and inputs.")


def score(answerer: Answerer, data: TransferSet, metric: str) -> float | None:
    """The metric on the validation split; None where its examples have no labels, or the teacher
    has no answers to them."""
    labels_N = tensor(data.labels)[slice(*data.validation)]
    if (labels_N == UNLABELLED).any() or not answerer.knows(*data.validation):
        return None
    logits_NC = answers_to(answerer, data, data.validation)
    return float(METRICS[metric].score(logits_NC, labels_N))
