"""Making a teacher ready: training one or opening the user's own, and looking at its answers.

Suffixes: N examples, C classes.
"""

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

import torch
from safetensors.torch import save

from nas_kd.costs.budgets import Shape
from nas_kd.data.source import UNLABELLED
from nas_kd.data.transfer import TransferSet, shape_in_words, size
from nas_kd.errors import UnusableTeacher
from nas_kd.metrics import METRICS
from nas_kd.registry import import_plugins
from nas_kd.spec.teachers import TRAINED
from nas_kd.teachers import kind, opened
from nas_kd.teachers.adapting import Adapted, TeacherInput, choose, prepare, probabilities
from nas_kd.teachers.asking import FIXED, answers_to, known_by
from nas_kd.teachers.jobs import TeacherJob, TeacherReport
from nas_kd.teachers.networks import answering, inner, made_of, sizes, state
from nas_kd.teachers.steady import expect_steady
from nas_kd.teachers.teacher import Answerer, Teacher
from nas_kd.teachers.trained import train
from nas_kd.training import normaliser, tensor
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
        notes = answerer.notes + converted(answerer, data) + without_weights(teacher)
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
        probabilities=gives_probabilities(answerer),
    )


def without_weights(teacher: Teacher) -> tuple[str, ...]:
    """What is to be said of a network that could have had a weight file, and was given none."""
    plain = not teacher.parts and teacher.weights is None and kind(teacher).weights
    return ("no --teacher-weights: it has the weights that its function gives",) * plain


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
    if answerer.network is None or not dict(inner(answerer.network).state_dict()):
        return answerer.parameters, None, None
    return sizes(answerer.network, seen_shape(teacher.expects, data.input_shape))


def gives_probabilities(answerer: Answerer) -> bool:
    """Whether a network's outputs were found to be probabilities."""
    network = answerer.network
    return isinstance(network, Adapted) and network.expects.probabilities


def seen_shape(expects: TeacherInput, input_shape: Shape) -> Shape:
    """The shape of an example as the teacher's own network sees it."""
    channels, *sides = input_shape
    return (
        3 if expects.colour and channels == 1 else channels,
        *([expects.size] * 2 if expects.size else sides),
    )


@torch.inference_mode()
def converted(answerer: Answerer, data: TransferSet) -> tuple[str, ...]:
    """Set what the adapter does to a network's answers, by those to a few training examples,
    and give it in words."""
    network = answerer.network
    if not isinstance(network, Adapted):
        return ()
    first, last = data.labelled
    images = tensor(data.examples)[first : min(last, first + 64)]
    try:
        found = network.network(prepare(normaliser(data)(images), network.expects))
    except Exception:
        return ()  # `expect_form` says what is wrong
    classes, output = network.classes, network.expects.output
    chosen_BC = choose(found, len(images), classes, output, network.name)
    whose = "its own" if network.expects.mean is not None else "the data's"
    side = shape_in_words(seen_shape(network.expects, data.input_shape))
    notes: tuple[str, ...] = (f"sees {side}, with {whose} normalisation",)
    gives = network.expects.gives
    if gives and not probabilities(chosen_BC):
        wrong = "is said to give probabilities, and its answers are none: below 0, or not of sum 1"
        raise UnusableTeacher(network.name, wrong, "Leave --fix teacher_gives=probabilities out.")
    if gives if gives is not None else probabilities(chosen_BC):
        network.expects = replace(network.expects, probabilities=True)
        notes += ("its outputs are probabilities; their logarithms are used as logits",)
    return notes


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
