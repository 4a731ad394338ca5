"""Jobs give the same wherever they run, and leave their process as it was."""

import random
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest
import torch

from nas_kd.data.arrays import ArrayRef
from nas_kd.data.transfer import TransferSet
from nas_kd.driver.timing import time_students
from nas_kd.teachers.jobs import TeacherJob
from nas_kd.teachers.making import make_teacher
from nas_kd.teachers.signals import SignalsJob, compute_signals
from nas_kd.teachers.teacher import Teacher
from nas_kd.training import run_rung
from nas_kd.training.recipe import Recipe
from nas_kd.workers.executors import open_executor
from nas_kd.workers.in_process import InProcess
from nas_kd.workers.reproducible import flushes_denormals, reproducible
from tests.conftest import record, tiny


def state() -> tuple[Any, ...]:
    """What a job may not change."""
    drawn = torch.random.get_rng_state().tolist()
    tf32, precision = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    kept = (precision, torch.get_default_dtype(), torch.is_grad_enabled(), torch.initial_seed())
    threads = torch.get_num_threads()
    return threads, flushes_denormals(), tf32, *kept, drawn, random.getstate()


@pytest.fixture(params=[False, True])
def before(request: pytest.FixtureRequest) -> Any:
    """A process that a user set up in a way of their own."""
    torch.set_num_threads(2)
    torch.set_flush_denormal(request.param)
    torch.backends.cudnn.allow_tf32 = request.param
    torch.set_float32_matmul_precision("medium" if request.param else "highest")
    torch.set_default_dtype(torch.float64 if request.param else torch.float32)
    torch.set_grad_enabled(not request.param)
    torch.manual_seed(12345)
    yield state()
    torch.set_float32_matmul_precision("highest")
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.set_num_threads(1)
    torch.set_flush_denormal(False)
    torch.backends.cudnn.allow_tf32 = True


def test_inside_there_is_one_thread_and_no_denormal_and_no_tf32(before: Any) -> None:
    with reproducible():
        assert state()[:6] == (1, True, False, "highest", torch.float32, True)
        torch.manual_seed(1)
    assert state() == before


def test_what_an_error_interrupts_is_put_back_too(before: Any) -> None:
    with pytest.raises(KeyboardInterrupt), reproducible():
        raise KeyboardInterrupt
    assert state() == before


@pytest.fixture
def jobs(
    digits: TransferSet, tmp_path: Path
) -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Each kind of job, with its arguments."""
    recipe = Recipe(tiny(), digits)
    one = record(settings={**record().settings, "alpha": 0.0})
    member = recipe.member(0, one.config, one.settings, 0)
    teacher = Teacher("train", (1, 8, 8), 10, width=4)
    guessing = Teacher("tests.teachers.own:guessing", (1, 8, 8), 10)
    report = make_teacher(TeacherJob(guessing, digits, 1, 0))
    known = ArrayRef.save(report.answers_MC, tmp_path / "known.npy")
    asked = SignalsJob(guessing, report.sha256, known, digits)
    return {
        "students": (run_rung, (recipe.job([member], {}, 0, 1),)),
        "time": (time_students, ((recipe.job([member], {}, 0, 1),),)),
        "teacher": (make_teacher, (TeacherJob(teacher, digits, 1, 0),)),
        "signals": (compute_signals, (asked, (0, 64), 1)),
    }


@pytest.mark.parametrize("kind", ["students", "time", "teacher", "signals"])
def test_no_job_leaves_a_trace_in_its_process(kind: str, jobs: dict[str, Any], before: Any) -> None:
    function, arguments = jobs[kind]
    torch.manual_seed(12345)
    function(*arguments)
    assert state() == before


def test_a_job_gives_the_same_in_this_process_and_in_a_pool_whatever_went_before(
    digits: TransferSet, before: Any
) -> None:
    recipe = Recipe(tiny(), digits)
    one = record(settings={**record().settings, "alpha": 0.0})
    job = recipe.job([recipe.member(0, one.config, one.settings, 0)], None, 0, 1)
    executors: list[Executor] = [open_executor(0), open_executor(1)]
    here, there = (executor.submit(run_rung, job).result()[0] for executor in executors)
    for executor in executors:
        executor.shutdown()
    assert here.checkpoint == there.checkpoint


def test_a_search_in_this_process_uses_the_device_that_was_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executor = open_executor(0, devices=("cuda:1",))
    assert isinstance(executor, InProcess)
    assert executor.device == "cuda:1"
    entered: list[str] = []
    monkeypatch.setattr(torch.cuda.device, "__init__", lambda self, name: entered.append(name))
    monkeypatch.setattr(torch.cuda.device, "__enter__", lambda self: None)
    monkeypatch.setattr(torch.cuda.device, "__exit__", lambda self, *error: None)
    assert executor.submit(Path, "x").result() == Path("x")
    assert entered == ["cuda:1"]
