"""Students packed into one network against the same students alone, one thread, in turns.

    python studies/cohorts/measure.py digits [--batch 128]           # 8x8
    python studies/cohorts/measure.py mnist --root DATA [--batch 32]   # 28x28

For each family and widths: the time of a student's whole job alone, as a ratio to its share of the
time of a cohort of G (the fastest of some turns of each). The batch is the usual one unless said.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from time import perf_counter

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from nas_kd.data import SOURCES
from nas_kd.data.arrays import ArrayRef
from nas_kd.data.signals import Signals
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare, size
from nas_kd.files import cache_folder
from nas_kd.students.decode import counts
from nas_kd.students.family import StudentConfig
from nas_kd.training import Member, RungJob, TrainSettings, default_batch, run_rung
from nas_kd.workers.fork_server import keep_freed_memory

TURNS = 2
SMALL = [
    ("mlp", (16, 16)), ("mlp", (32, 32)), ("mlp", (64, 64)), ("mlp", (128, 128)),
    ("cnn", (4, 4, 4)), ("cnn", (4, 8, 8)), ("cnn", (8, 8, 8)), ("cnn", (6, 7, 8, 10, 12)),
    ("cnn", (8, 12, 16)), ("cnn", (16, 16, 16)),
]  # fmt: skip
LARGE = [
    ("mlp", (32, 32)), ("mlp", (23, 35)), ("cnn", (4, 8, 16)), ("cnn", (8, 10, 12)),
    ("cnn", (15, 18, 22, 26, 32)),
]  # fmt: skip


def member(number: int, config: StudentConfig) -> Member:
    """A student with settings of its own."""
    settings = {
        "temperature": 1.0 + number, "alpha": 0.05 * number, "learning_rate": 0.01,
        "knowledge": "kl",
    }  # fmt: skip
    return Member(number, config, settings, seed=number)


def seconds(job: RungJob) -> float:
    """How long a job takes."""
    began = perf_counter()
    run_rung(job)
    return perf_counter() - began


def main() -> None:
    """Print the table."""
    keep_freed_memory()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=("digits", "mnist"))
    parser.add_argument("--root", default="data", type=Path)
    parser.add_argument("--batch", type=int)
    given = parser.parse_args()
    name = given.data
    data = prepare(name, SOURCES[name], Request(given.root))
    if name == "mnist":
        data = replace(data, train=(0, 12800), labelled=(0, 12800),
                       validation=(data.validation[0], data.validation[0] + 500))  # fmt: skip
    random = np.random.default_rng(0)
    logits = random.normal(size=(1, size(data.train), 10)).astype(np.float32)
    answers = data.labels.open()[slice(*data.validation)]
    kept = [
        ArrayRef.save(array, cache_folder() / f"cohorts-{name}.npy")
        for name, array in (("logits", logits), ("answers", answers))
    ]
    signals = Signals("0", *kept)
    epochs = 1 if name == "mnist" else 10
    batch = given.batch or default_batch(size(data.train))
    settings = TrainSettings(epochs, batch)
    print(f"{data.name} {data.input_shape}, batch {batch}")
    for family, channels in LARGE if name == "mnist" else SMALL:
        config = StudentConfig(family, data.input_shape, 10, len(channels), channels)
        measure(config, RungJob((), data, signals, settings, 0, 0, epochs, data.validation))


def measure(config: StudentConfig, job: RungJob) -> None:
    """One row of the table."""
    sizes = (1, 2, 4, 8, 16)
    jobs = {
        count: replace(job, members=tuple(member(n, config) for n in range(count)))
        for count in sizes
    }
    best = dict.fromkeys(sizes, float("inf"))
    for _ in range(TURNS):
        for count, one in jobs.items():
            best[count] = min(best[count], seconds(one) / count)
    ratios = "  ".join(f"{count}: {best[1] / best[count]:.2f}" for count in sizes[1:])
    parameters = counts(config).parameters
    print(f"{config.family} {config.label():<16} {parameters:>6} parameters  "
          f"alone {1000 * best[1]:6.1f} ms   {ratios}", flush=True)  # fmt: skip


main()
