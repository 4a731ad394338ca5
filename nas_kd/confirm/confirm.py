"""Confirming a study: who is trained, how long it will take, the trainings, and what came out."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from nas_kd.confirm.asked import Asked
from nas_kd.confirm.begun import end, looks_before
from nas_kd.confirm.confirmation import (
    Confirmation,
    Seeds,
    Trained,
    confirmed,
    difference,
    read_confirmation,
    verdict_of,
)
from nas_kd.confirm.finalists import BEST, RANDOM, TWIN, Finalist, baselines, finalists, role_of
from nas_kd.confirm.opening import Opened, opened
from nas_kd.confirm.random_search import best_of_random
from nas_kd.confirm.trainings import (
    ConfirmContext,
    Training,
    found_of,
    job_of,
    kept,
    known_rate,
    rates_of,
    train,
    with_own_rate,
)
from nas_kd.driver.drive import expect_families
from nas_kd.driver.events import Mended, Observe, Planned, Step
from nas_kd.driver.options import RunOptions, executor_of
from nas_kd.driver.timing import TOO_LARGE, duration_in_words, time_students
from nas_kd.files import write_bytes, write_text
from nas_kd.intervals import Estimate
from nas_kd.metrics import METRICS
from nas_kd.training import PROOF
from nas_kd.workers.job_queue import JobQueue

FEW = 4
"""With fewer seeds an interval is mostly their number."""


def confirm(options: RunOptions, asked: Asked, observe: Observe) -> Confirmation:
    """Confirm a study, or go on where a confirm was stopped; confirm.json is written at the end.

    Raises NasKDError for what the user can mend; whatever ends it, every student that was trained
    is kept.
    """
    asked.expect_sound()
    with (
        working(options, observe) as queue,
        opened(options, asked.epochs, asked.data, queue, observe) as study,
    ):
        view, context = study.view, study.context
        read_confirmation(context.folder.confirmation)  # to say at once if it cannot be read
        chosen = finalists(view, asked.front)
        further = {row.number: row for row in map(view.pick, asked.trials)}
        chosen += [Finalist.of(f"trial {number}", row) for number, row in further.items()]
        expect_families(view.spec, [finalist.config for finalist in chosen])
        if asked.baseline:
            chosen += baselines(asked.baseline, view, context.recipe.data)
        if asked.random:
            random = best_of_random(view, options, observe)
            chosen.append(replace(Finalist.of(RANDOM, random), trial=None))
        say_plan(context, chosen, asked.seeds)
        estimate(context, chosen, asked.seeds, queue.workers)
        chosen = [with_own_rate(context, f) if f.role == TWIN else f for f in chosen]
        looks = looks_before(context, chosen, asked.seeds)
        found = scored(context, chosen, asked.seeds)
        return keep_result(context, summed_up(study, asked, chosen, found, looks))


@contextmanager
def working(options: RunOptions, observe: Observe) -> Iterator[JobQueue]:
    """A queue of jobs with its workers."""
    executor = executor_of(options, observe)
    queue = JobQueue(executor, options.workers, lambda text: observe(Mended("again", text)))
    try:
        yield queue
    finally:
        executor.shutdown(cancel_futures=queue.busy)


def say_plan(context: ConfirmContext, chosen: Sequence[Finalist], seeds: int) -> None:
    """Say how many students are trained, and how long."""
    count, epochs = len({finalist.key for finalist in chosen}), context.recipe.epochs
    few = ". An interval over so few seeds is wide: 5 are usual" * (seeds < FEW)
    context.observe(Step(
        f"confirm   {context.folder.root.name}: {count} student{'s' * (count > 1)}, {seeds} seeds "
        f"of {epochs} epoch{'s' * (epochs > 1)}{few}"
    ))  # fmt: skip


def estimate(context: ConfirmContext, chosen: Sequence[Finalist], seeds: int, workers: int) -> None:
    """Say how long the trainings that are missing will take, from a few steps of each student."""
    rates = [rate for one in chosen if one.role == TWIN for rate in rates_of(one)]
    decided = [known_rate(context, one) or one if one.role == TWIN else one for one in chosen]
    all_of_them = {
        context.place(training): training
        for training in [*rates, *(Training(one, seed) for one in decided for seed in range(seeds))]
    }
    missing = [training for place, training in all_of_them.items() if kept(place) is None]
    count, done = len(missing), len(all_of_them) - len(missing)
    context.observe(Planned(count + done, context.recipe.epochs, done, "training"))
    if not missing:
        return
    one_each = {training.finalist.key: training for training in missing}.values()
    timed = [replace(job_of(context, training, (0, 1)), signals=None) for training in one_each]

    def say(each: float | None) -> None:
        about = TOO_LARGE if each is None else (
            f"about {duration_in_words(each * count / max(1, workers))} for {count} trainings"
        )  # fmt: skip
        context.observe(Step(f"time      {about}"))

    context.queue.submit(time_students, tuple(timed), then=say)
    context.queue.run_until()


def scored(context: ConfirmContext, chosen: Sequence[Finalist], seeds: int) -> Mapping[str, Seeds]:
    """Train and score every student with every seed; what each reached, by its key."""
    write_bytes(
        context.folder.confirmed / "inputs.safetensors", save({"inputs": first_inputs(context)})
    )
    trainings = [Training(one, seed) for seed in range(seeds) for one in chosen]
    train(context, trainings, context.recipe.data.test)
    results: dict[str, dict[int, Trained]] = {one.key: {} for one in chosen}
    for training in trainings:
        if found := found_of(context, training):
            results[training.finalist.key][training.seed] = found
    return results


def first_inputs(context: ConfirmContext) -> NDArray[np.generic]:
    """The test examples whose logits prove an exported student."""
    data = context.recipe.data
    return np.array(data.examples.open()[slice(*data.test)][:PROOF])


def summed_up(
    study: Opened, asked: Asked, chosen: Sequence[Finalist], found: Mapping[str, Seeds], looks: int
) -> Confirmation:
    """Every student with its interval, and the verdict."""
    view, metric = study.view, study.view.spec.metric
    by_role = {finalist.role: finalist for finalist in chosen}
    best = chosen[0]

    def compare(first: str, second: str) -> Estimate | None:
        keys = by_role[first].key, by_role[second].key
        return difference(found[keys[0]], found[keys[1]], study.labels_N, metric)

    said = verdict_of(
        by_role, compare, role_of(view.best_default), view.cost, not view.spec.teacher_classes
    )
    students = tuple(
        confirmed(
            finalist, found[finalist.key], asked.seeds, study.labels_N, metric,
            compare(best.role, finalist.role) if finalist.key != best.key else None,
        )
        for finalist in chosen
    )  # fmt: skip
    return Confirmation(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        metric=metric,
        cost=view.cost,
        epochs=study.context.recipe.epochs,
        seeds=asked.seeds,
        examples=len(study.labels_N),
        data=study.context.recipe.data.key,
        covers="seeds and examples" if METRICS[metric].parts else "seeds",
        teachers=study.teachers,
        students=students,
        distillation=said.distillation,
        search=said.search,
        sentences=said.sentences,
        looks=looks,
    )


def keep_result(context: ConfirmContext, result: Confirmation) -> Confirmation:
    """Write confirm.json, unless it says the same already; return what is in it.

    Students that only an earlier confirm of the same best, seeds and epochs had stay in it. One of
    others is kept beside, which is said.
    """
    path, before = context.folder.confirmation, read_confirmation(context.folder.confirmation)
    if before and like(before) == like(result):
        roles = {one.role for one in result.students}
        others = tuple(one for one in before.students if one.role not in roles)
        result = result.model_copy(update={"students": (*result.students, *others)})
    elif before:
        kept = context.folder.confirmed / f"earlier-{before.epochs}-{before.seeds}.json"
        write_text(kept, before.model_dump_json(indent=1))
        context.observe(Step(
            f"confirm   the one of {before.seeds} seeds and {before.epochs} epochs that was here "
            f"is kept as {kept.relative_to(context.folder.root)}"
        ))  # fmt: skip
    if before and result.model_copy(update={"when": before.when}) == before:
        result = before
    else:
        write_text(path, result.model_dump_json(indent=1))
    end(context)
    return result


def like(one: Confirmation) -> tuple[object, ...]:
    """What two confirms have in common whose students can stand in one table."""
    best = one.student(BEST)
    return one.epochs, one.seeds, one.metric, one.data, best.key if best else None
