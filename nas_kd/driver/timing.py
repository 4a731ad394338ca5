"""How long a search will take: estimated from a few steps before it, corrected as it goes.

Suffixes: B examples of a batch, C channels, H and W pixels.
"""

import time
from datetime import timedelta

import torch
from torch.nn.functional import cross_entropy

from nas_kd.data.transfer import size
from nas_kd.driver.context import SearchContext, StageContext
from nas_kd.driver.events import Step
from nas_kd.registry import import_plugins
from nas_kd.space.first import first_samples
from nas_kd.space.sample import settings_of
from nas_kd.space.space import Space
from nas_kd.training import RungJob, build_cohort, memory_format, normaliser, tensor
from nas_kd.training.objective import scheme_of
from nas_kd.training.recipe import Recipe
from nas_kd.training.side_by_side import beside_of
from nas_kd.workers.memory import out_of_memory
from nas_kd.workers.reproducible import reproducible

TIMED_STEPS = 3

TOO_LARGE = "not known: a default student takes more memory than there is"


@reproducible()
def time_students(jobs: tuple[RungJob, ...]) -> float | None:
    """Mean seconds that these students' whole trainings would take, one by one; None where one of
    them takes more memory than there is."""
    total = 0.0
    for job in jobs:
        import_plugins(job.settings.plugins)
        steps = -(-size(job.data.train) // job.settings.batch) * job.settings.epochs
        try:
            total += steps * seconds_of(job)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            return None
    return total / len(jobs)


def seconds_of(job: RungJob) -> float:
    """Seconds of one training step of a job's student: the fastest of a few, on real examples."""
    device = torch.device(job.settings.device)
    scheme = scheme_of(job)
    beside = beside_of(job, scheme) if scheme.target else None
    cohort = build_cohort(job.members, device, beside)
    layout = memory_format(cohort.network, [member.config for member in job.members])
    first = job.data.labelled[0]
    rows = slice(first, first + min(job.settings.batch, size(job.data.labelled)))
    examples_BX = normaliser(job.data, layout, device)(tensor(job.data.examples)[rows].to(device))
    labels_B = tensor(job.data.labels)[rows].clamp(min=0).to(device)  # timed, not learned
    taken = []
    for number in range(TIMED_STEPS + 1):
        began = time.perf_counter()
        cohort.optimizer.zero_grad()
        logits_GBC = cohort.network(examples_BX).reshape(-1, len(labels_B), len(job.data.classes))
        cross_entropy(logits_GBC.mean(0), labels_B).backward()
        cohort.optimizer.step(number + 1, 1.0)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - began)
    return min(taken[1:])


def default_jobs(recipe: Recipe, space: Space) -> tuple[RungJob, ...]:
    """Jobs of the default students of the families, to be timed."""
    samples = [sample for sample in first_samples(space) if sample["alpha"] > 0]
    return tuple(
        recipe.job([recipe.member(0, space.student(s), settings_of(space, s), 0)], {}, 0, 1)
        for s in samples or first_samples(space)
    )


def estimate(stage: StageContext, space: Space, trials: int, workers: int) -> None:
    """Say how long so many students will take, from the default students of the families."""

    def say(each: float | None) -> None:
        if each is None:
            stage.observe(Step(f"time      {TOO_LARGE}"))
            return
        whole = each * trials / max(1, workers)
        less = " or less" if stage.recipe.rungs else ""
        text = f"time      about {duration_in_words(whole)}{less} for {trials} trials"
        stage.observe(Step(text))

    stage.queue.submit(time_students, default_jobs(stage.recipe, space), then=say)


def correct(context: SearchContext, began: float, before: int) -> None:
    """Say how long the rest will take, from the pace of this run so far."""
    told = context.ledger.told()
    left = context.spec.trials - told
    if left > 0 and told > before:
        pace = (time.monotonic() - began) / (told - before)
        context.observe(Step(f"time      {told} of {context.spec.trials} trials, "
                             f"about {duration_in_words(pace * left)} left"))  # fmt: skip


LEAST = 10
"""Seconds that are told at least: workers have to start, and networks to be built."""


def duration_in_words(seconds: float) -> str:
    """A length of time, rounded to what can be known."""
    return str(timedelta(seconds=max(LEAST, round(seconds))))
