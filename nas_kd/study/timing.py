"""How long a search will take: estimated from a few steps before it, corrected as it goes.

Suffixes: B examples of a batch, C channels, H and W pixels.
"""

import time
from datetime import timedelta

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nas_kd.data.transfer import TransferSet, size
from nas_kd.registry import import_plugins
from nas_kd.students import build
from nas_kd.study.events import Step
from nas_kd.study.scene import Scene, member, rung_job
from nas_kd.study.space import first_samples
from nas_kd.training import RungJob, adamw, channels_last, normaliser, tensor

STEPS = 3


def seconds_of(network: nn.Module, data: TransferSet, batch: int) -> float:
    """Seconds of one training step: the fastest of a few, on real examples."""
    first = data.labelled[0]
    rows = slice(first, first + min(batch, size(data.labelled)))
    images_BCHW = normaliser(data)(tensor(data.images)[rows])
    labels_B = tensor(data.labels)[rows]
    optimizer = adamw(network, 0.0)
    taken = []
    for _ in range(STEPS + 1):
        began = time.perf_counter()
        optimizer.zero_grad()
        cross_entropy(network(images_BCHW), labels_B).backward()
        optimizer.step()
        taken.append(time.perf_counter() - began)
    return min(taken[1:])


def time_students(jobs: tuple[RungJob, ...]) -> float:
    """Mean seconds that these students' whole trainings would take."""
    total = 0.0
    for job in jobs:
        import_plugins(job.settings.plugins)
        torch.manual_seed(0)
        network = channels_last(build(job.members[0].config))
        steps = -(-size(job.data.train) // job.settings.batch) * job.settings.epochs
        total += steps * seconds_of(network, job.data, job.settings.batch)
    return total / len(jobs)


def estimate(scene: Scene, workers: int) -> None:
    """Say how long the students will take, from the default students of the families."""
    samples = [s for s in first_samples(scene.space) if s["alpha"] > 0] or first_samples(
        scene.space
    )
    jobs = tuple(
        rung_job(scene, member(scene, 0, scene.space.student(sample), sample, None), 0, 1)
        for sample in samples
    )
    trials = scene.spec.trials - scene.ledger.told()

    def say(each: float) -> None:
        whole = each * trials / max(1, workers)
        scene.observe(Step(f"time      about {in_words(whole)} for {trials} trials"))

    scene.crew.submit(time_students, jobs, then=say)


def correct(scene: Scene, began: float, before: int) -> None:
    """Say how long the rest will take, from the pace of this run so far."""
    told = scene.ledger.told()
    left = scene.spec.trials - told
    if left > 0 and told > before:
        pace = (time.monotonic() - began) / (told - before)
        scene.observe(Step(f"time      {told} of {scene.spec.trials} trials, "
                           f"about {in_words(pace * left)} left"))  # fmt: skip


def in_words(seconds: float) -> str:
    """A length of time, rounded to what can be known."""
    return str(timedelta(seconds=max(1, round(seconds))))
