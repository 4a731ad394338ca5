"""A search of 10,000 trials whose training is a formula: what is left is what the search costs.

python studies/scale/measure.py [--trials 10000] [--place runs/scale] [--storage URL] [--short]
"""

import argparse
import json
import os
import platform
import resource
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas_kd.driver import ask, generation
from nas_kd.driver.drive import drive
from nas_kd.driver.events import Event, Told
from nas_kd.driver.jobs import train_students
from nas_kd.driver.options import RunOptions
from nas_kd.report.page import page
from nas_kd.spec import StudySpec
from nas_kd.students.decode import counts
from nas_kd.students.family import StudentConfig
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import read_study
from nas_kd.training import Member, RungJob, RungResult
from nas_kd.training.checkpoints import snapshot
from nas_kd.workers.in_process import InProcess

HERE = Path(__file__).resolve().parent

SPEC: dict[str, Any] = {
    "budget": "20k", "data": "digits", "teacher_epochs": 2, "teacher_width": 4, "seed": 0,
}  # fmt: skip
"""All else is what it is unless said: two families, generations of 16, three rungs."""

EVERY = 100
"""So many trials make one point of the figure."""

NOISE = 0.01
"""The deviation of a student's accuracy by its seed."""


def expected(config: StudentConfig, settings: Mapping[str, Any], share: float = 1.0) -> float:
    """A made-up accuracy after a share of the epochs: it rises with the logarithm of parameters and
    with epochs, and is best near T = 4, alpha = 0.9 and a learning rate of 0.02."""
    size = np.log10(counts(config).parameters) / np.log10(20_000)
    off = np.log(settings["temperature"] / 4) ** 2 / 40 + (settings["alpha"] - 0.9) ** 2 / 10
    off += np.log(settings["learning_rate"] / 0.02) ** 2 / 40
    return float(np.clip(0.9 * size - off - 0.1 * (1 - share), 0.0, 1.0))


def noisy(accuracy: float, seed: int) -> float:
    """The accuracy of a student with one seed."""
    return float(np.clip(accuracy + NOISE * np.random.default_rng(seed).normal(), 0.0, 1.0))


def accuracy(member: Member, epochs: int, all_epochs: int) -> float:
    """What a student reaches after so many of all epochs."""
    share = epochs / all_epochs
    return noisy(expected(member.config, member.settings, share), member.seed)


def by_formula(job: RungJob, further: Sequence[int], progress: Path) -> Any:
    """What `train_students` gives, without training."""
    first, end = job.judged
    logits_NC = torch.zeros(end - first, len(job.data.classes))
    kept = snapshot({"": ({"weight": torch.zeros(8)}, {}, {})}, logits_NC)
    return tuple(
        tuple(
            RungResult(one.trial, accuracy(one, stop, job.settings.epochs), stop, 0.0, kept)
            for one in job.members
        )
        for stop in (job.stop, *further)
    )


class ByFormula(InProcess):
    """Does every job in this process, and trains no student."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call `fn`, or what stands for training."""
        job = by_formula if fn is train_students else fn
        return super().submit(job, *args, **kwargs)


class Clock:
    """Adds up the seconds that named functions take."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def watch(self, owner: Any, name: str, called: str) -> None:
        """Have a function of a module add its seconds."""
        original: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            result = original(*arguments, **named)
            if not isinstance(result, list | dict | None):  # a generator works when it is read
                result = list(result)
            took = time.perf_counter() - began
            self.spent[called] = self.spent.get(called, 0.0) + took
            return result

        setattr(owner, name, timed)


def memory() -> float:
    """What this process has in memory now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def simulated(place: Path, trials: int, storage: str | None) -> list[dict[str, float]]:
    """Search, and say every hundred trials what one of them took, in milliseconds."""
    clock, series = Clock(), list[dict[str, float]]()
    clock.watch(ask, "propose_all", "sampler")
    clock.watch(generation, "propose_missing", "propose")
    clock.watch(generation, "tell", "tell")
    told, began = 0, time.perf_counter()

    def observe(event: Event) -> None:
        nonlocal told, began
        if not isinstance(event, Told):
            return
        told += 1
        if told % EVERY:
            return
        whole = time.perf_counter() - began
        point = {name: 1000 * spent / EVERY for name, spent in clock.spent.items()}
        point = {"trials": told, **point, "whole": 1000 * whole / EVERY, "memory": memory()}
        series.append({name: round(value, 1) for name, value in point.items()})
        print(json.dumps(series[-1]), flush=True)
        clock.spent.clear()
        began = time.perf_counter()

    options = RunOptions(place, 0, storage=storage)
    drive(StudySpec.create(SPEC | {"trials": trials}), options, observe, ByFormula())
    return series


def main() -> None:
    """Search, write the report, and keep what both took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--place", default="runs/scale")
    parser.add_argument("--storage", help="a PostgreSQL server; else the study has a file")
    parser.add_argument("--short", action="store_true", help="200 trials, tells nothing")
    given = parser.parse_args()
    place = Path(given.place)
    shutil.rmtree(place, ignore_errors=True)
    series = simulated(place, 200 if given.short else given.trials, given.storage)
    began = time.perf_counter()
    view = read_study(StudyFolder(place))
    read = time.perf_counter() - began
    text = page(view)
    seconds = time.perf_counter() - began
    facts = {
        "storage": "postgresql" if given.storage else "sqlite",
        "report": {"read": round(read, 1), "seconds": round(seconds, 1), "MB": len(text) / 1e6},
        "series": series,
        "versions": {name: version(name) for name in ("nas-kd", "optuna", "sqlalchemy")}
        | {"python": platform.python_version()},
        "cores": os.cpu_count(),
    }
    print(json.dumps(facts["report"]))
    if not given.short:
        (HERE / f"result-{facts['storage']}.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
