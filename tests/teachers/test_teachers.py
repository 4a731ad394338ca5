"""Teachers: made, loaded, asked once, and never changed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save_file
from torch import nn

from nas_kd.data.arrays import ArrayRef
from nas_kd.data.signals import Signals
from nas_kd.data.transfer import TransferSet, size
from nas_kd.data.views import Views
from nas_kd.errors import UnusableTeacher
from nas_kd.teachers import opened
from nas_kd.teachers.jobs import TeacherJob, TeacherReport
from nas_kd.teachers.making import make_teacher
from nas_kd.teachers.network import wide
from nas_kd.teachers.networks import fingerprint, sizes
from nas_kd.teachers.signals import (
    SignalsJob,
    check_signals,
    compute_signals,
    sharing_key,
    signals_key,
    slices,
)
from nas_kd.teachers.teacher import Answerer, Teacher
from nas_kd.teachers.trained import precision, teacher_epochs, training_key

OWN = "tests.teachers.own:"


def asking(teacher: Teacher, report: TeacherReport, data: TransferSet, folder: Path) -> SignalsJob:
    """The question for the answers of a teacher that is ready."""
    known = ArrayRef.save(report.answers_MC, folder / "known.npy")
    return SignalsJob(teacher, report.sha256, known, data)


@pytest.fixture
def trained(digits: TransferSet, tmp_path: Path) -> SignalsJob:
    """A small trained teacher and the question for its answers."""
    teacher = Teacher("train", (1, 8, 8), 10, width=8)
    report = make_teacher(TeacherJob(teacher, digits, epochs=6, seed=0))
    assert report.accuracy
    assert report.weights
    assert report.accuracy > 0.8
    path = tmp_path / "weights.safetensors"
    path.write_bytes(report.weights)
    return asking(replace(teacher, weights=str(path)), report, digits, tmp_path)


def test_a_trained_teacher_is_good_and_the_same_again(digits: TransferSet) -> None:
    job = TeacherJob(Teacher("train", (1, 8, 8), 10, width=8), digits, epochs=2, seed=0)
    first, second = make_teacher(job), make_teacher(job)
    assert first.weights
    assert first.sha256 == second.sha256
    assert first.parameters == sum(v.numel() for n, v in load(first.weights).items()
                                   if "running" not in n and "tracked" not in n)  # fmt: skip
    assert first.macs


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_teacher_trains_in_bfloat16_only_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, native: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    assert precision(torch.device("cpu")) == expected


def test_a_teacher_sees_enough_examples_however_few_there_are(digits: TransferSet) -> None:
    assert teacher_epochs(digits, 10) == 60
    many = replace(digits, train=(0, 60_000), teacher=(0, 60_000))
    assert teacher_epochs(many, 3) == 3
    assert teacher_epochs(many, 1) == 2


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 48), (1, 3, 3)])
def test_the_wide_network_takes_any_picture(shape: tuple[int, ...]) -> None:
    assert wide(shape, 5, 4)(torch.randn(2, *shape)).shape == (2, 5)


def test_signals_are_the_answers_in_eval_mode_and_the_teacher_stays_as_it_was(
    trained: SignalsJob,
) -> None:
    found = compute_signals(trained, trained.data.train, 1)
    assert found is not None
    logits_VNC = found.logits_VNC
    assert logits_VNC.shape == (1, size(trained.data.train), 10)
    network = opened(trained.teacher, trained.data).network
    assert network is not None
    assert not network.training
    assert fingerprint(network) == trained.sha256
    labels = trained.data.labels.open()[slice(*trained.data.train)]
    assert (logits_VNC[0].argmax(-1) == labels).mean() > 0.8


def test_slices_of_signals_are_the_whole_bit_for_bit(
    trained: SignalsJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = compute_signals(trained, trained.data.train, 1).logits_VNC
    monkeypatch.setattr("nas_kd.teachers.signals.SLICE", 256)
    parts = slices(trained.data)
    assert len(parts) == 5
    joined = np.concatenate([compute_signals(trained, rows, 1).logits_VNC for rows in parts], 1)
    assert np.array_equal(joined, whole)


def test_the_teacher_passes_over_the_train_split_once_a_view(
    trained: SignalsJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def watched(teacher: Teacher, data: TransferSet, device: str) -> Answerer:
        answerer = opened(teacher, data, device)
        assert answerer.network is not None
        hook = lambda module, given, result: seen.append(len(result))  # noqa: E731
        answerer.network.register_forward_hook(hook)
        return answerer

    monkeypatch.setattr("nas_kd.teachers.signals.opened", watched)
    views = Views(3, shift=1)
    job = replace(trained, data=replace(trained.data, views=views))
    logits_VNC = compute_signals(job, job.data.train, 3).logits_VNC
    assert sum(seen) == 3 * size(trained.data.train)
    assert not np.allclose(logits_VNC[0], logits_VNC[1])


def test_stored_signals_are_checked_when_they_are_read(trained: SignalsJob, tmp_path: Path) -> None:
    key = signals_key(trained)
    logits_VNC = compute_signals(trained, trained.data.train, 1).logits_VNC
    answers_N = compute_signals(trained, trained.data.validation, 1).logits_VNC[0].argmax(-1)
    good = ArrayRef.save(logits_VNC, tmp_path / "good.npy")
    answers = ArrayRef.save(answers_N, tmp_path / "answers.npy")
    assert check_signals(trained, Signals(key, good, answers)) is None
    shuffled = ArrayRef.save(np.roll(logits_VNC, 1, axis=1), tmp_path / "bad.npy")
    wrong = check_signals(trained, Signals(key, shuffled, answers))
    assert wrong is not None
    assert wrong[0] == "are not what the teacher answers"


def test_the_key_of_a_training_depends_on_all_that_decides_it(trained: SignalsJob) -> None:
    job = TeacherJob(Teacher("train", (1, 8, 8), 10, 8), trained.data, epochs=3, seed=0)
    jobs = [
        job,
        replace(job, epochs=4),
        replace(job, seed=1),
        replace(job, device="cuda"),
        replace(job, metric="macro-f1"),
        replace(job, class_weights=(1.0,) * 10),
        replace(job, teacher=replace(job.teacher, width=9)),
        replace(job, data=replace(job.data, mean=(0.0,))),
    ]
    assert len({training_key(one) for one in jobs}) == len(jobs)
    assert training_key(replace(job, threads=2)) == training_key(job)


def test_the_key_depends_on_the_teacher_its_input_the_data_and_the_views(
    trained: SignalsJob,
) -> None:
    expects = replace(trained.teacher.expects, output="logits")
    jobs = [
        trained,
        replace(trained, sha256="f" * 64),
        replace(trained, teacher=replace(trained.teacher, expects=expects)),
        replace(trained, data=replace(trained.data, views=Views(2, shift=1))),
        replace(trained, data=replace(trained.data, mean=(0.0,))),
    ]
    assert len({signals_key(job) for job in jobs}) == len(jobs)
    elsewhere = replace(trained, device="cuda")
    assert signals_key(elsewhere) == signals_key(trained)
    assert sharing_key(elsewhere) != sharing_key(trained)


def test_a_teacher_that_changes_itself_is_found_out(trained: SignalsJob) -> None:
    restless = Teacher(OWN + "restless", (1, 8, 8), 10)
    network = opened(restless, trained.data).network
    assert network is not None
    job = replace(trained, teacher=restless, sha256=fingerprint(network))
    with pytest.raises(UnusableTeacher, match="changed"):
        compute_signals(job, trained.data.train, 1)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_your_own_teacher_is_taken_with_its_weights(
    suffix: str, digits: TransferSet, tmp_path: Path
) -> None:
    network = wide((1, 8, 8), 10, 4)
    path = tmp_path / f"teacher{suffix}"
    if suffix == ".pt":
        torch.save(network.state_dict(), path)
    else:
        save_file(network.state_dict(), path)
    teacher = Teacher(OWN + "small", (1, 8, 8), 10, weights=str(path))
    report = make_teacher(TeacherJob(teacher, digits, epochs=1, seed=0))
    assert report.sha256 == fingerprint(network)
    assert report.parameters == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        ("resnet", "not of the form module:function"),
        ("no_such_module:net", "cannot be made"),
        (OWN + "nothing", "cannot be made"),
        (OWN + "needs_an_argument", "cannot be made"),
        (OWN + "a_number", "returns int"),
        (OWN + "seven_classes", r"answers with shape \(64, 7\)"),
        (OWN + "colour", "fails on the data"),
        (OWN + "not_finite", "NaN"),
        (OWN + "of_the_batch", "answers otherwise to an example alone than among others"),
        (OWN + "kept_in_train_mode", "answers otherwise to an example alone than among others"),
        (OWN + "always_dropped", "answers otherwise when it is asked again"),
        (OWN + "noisy", "answers otherwise when it is asked again"),
        (OWN + "for_a_batch_of_64", "fails on the data"),
        (OWN + "never_alone", "cannot answer a single example, only a batch"),
        (OWN + "lazy", "has layers that have no size yet"),
        (OWN + "quantised", "is quantised"),
    ],
)
def test_a_teacher_that_does_not_fit_is_named(target: str, wrong: str, digits: TransferSet) -> None:
    job = TeacherJob(Teacher(target, (1, 8, 8), 10), digits, epochs=1, seed=0)
    with pytest.raises(UnusableTeacher, match=wrong):
        make_teacher(job)


def test_a_module_of_torch_export_is_a_teacher(digits: TransferSet, tmp_path: Path) -> None:
    job = TeacherJob(Teacher(OWN + "exported", (1, 8, 8), 10), digits, epochs=1, seed=0)
    report = make_teacher(job)
    assert "made by torch.export" in report.notes[0]
    assert report.parameters == 650
    signals = compute_signals(asking(job.teacher, report, digits, tmp_path), digits.train, 1)
    assert signals is not None
    assert signals.logits_VNC.shape == (1, size(digits.train), 10)


def test_a_teacher_of_objects_alone_is_a_teacher(digits: TransferSet) -> None:
    teacher = Teacher(OWN + "of_objects", (1, 8, 8), 10)
    report = make_teacher(TeacherJob(teacher, digits, epochs=1, seed=0))
    assert report.parameters is None
    assert report.weights is None
    assert "known by its answers alone" in report.notes[0]


class Asserting(nn.Module):
    """Looks at its input, as tracing does not like, and keeps more than tensors in its state."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 4, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert isinstance(images, torch.Tensor)
        maps: torch.Tensor = self.layer(images)
        return maps

    def get_extra_state(self) -> dict[str, int]:
        return {"version": 2}


def test_a_teacher_in_another_layout_with_more_in_its_state_is_kept() -> None:
    network = Asserting()
    plain = fingerprint(network)
    assert fingerprint(network.to(memory_format=torch.channels_last)) == plain
    assert sizes(network, (1, 8, 8)) == (40, 36 * 36, None)
