"""Devices in words, and a worker for each."""

import os
from pathlib import Path

import pytest
import torch

from nas_kd.errors import Unusable
from nas_kd.workers.devices import cores, default_workers, kind, parse_devices
from nas_kd.workers.pool import ProcessPool

NO_GPU = not torch.cuda.is_available()


@pytest.mark.parametrize("text", ["gpu", "cuda:x", "cpu,cuda:0", "cuda:0,cuda:0", "", "cpu,cpu"])
def test_what_is_no_device_is_an_error_that_says_what_is(text: str) -> None:
    with pytest.raises(Unusable, match="auto, cpu, cuda"):
        parse_devices(text)


def test_the_processor_is_always_there() -> None:
    assert parse_devices("cpu") == ("cpu",)
    assert kind(("cpu",)) == "cpu"
    assert default_workers(("cpu",)) == cores()


@pytest.mark.skipif(not NO_GPU, reason="there is a GPU")
def test_without_a_gpu_auto_is_the_processor_and_a_gpu_is_an_error() -> None:
    assert parse_devices("auto") == ("cpu",)
    with pytest.raises(Unusable, match="torch sees 0 GPUs"):
        parse_devices("cuda")
    with pytest.raises(Unusable, match="torch sees 0 GPUs"):
        parse_devices("cuda:0,cuda:1")


def test_gpus_get_a_worker_each_that_sees_only_its_own() -> None:
    devices = ("cuda:0", "cuda:3")
    assert default_workers(devices) == 2
    assert kind(devices) == "cuda"
    with ProcessPool(2, devices=devices) as pool:
        asked = [pool.submit(seen_after_a_moment, 0.3) for _ in range(2)]
        assert {future.result() for future in asked} == {"0", "3"}
    assert os.environ.get("CUDA_VISIBLE_DEVICES") in (None, "")


def test_a_gpu_is_one_of_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-5")
    with ProcessPool(1, devices=("cuda:1",)) as pool:
        assert pool.submit(seen_after_a_moment, 0.0).result() == "GPU-5"


def seen_after_a_moment(seconds: float) -> str | None:
    """What a worker sees, slowly, so that both are asked."""
    import time

    time.sleep(seconds)
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def test_a_search_on_a_gpu_that_is_not_there_ends_before_it_begins(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from nas_kd.cli import app

    done = CliRunner().invoke(app, ["search", "--budget", "2k", "--device", "cuda:7",
                                    "--study", str(tmp_path / "study")])  # fmt: skip
    assert isinstance(done.exception, Unusable)
    assert not (tmp_path / "study").exists()
