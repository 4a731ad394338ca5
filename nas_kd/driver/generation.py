"""One generation: propose all of it, train it rung by rung, tell all of it in order."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, pairwise

from nas_kd.driver.ask import propose_missing
from nas_kd.driver.cohorts import cohorts
from nas_kd.driver.context import SearchContext, weight_seed_trial
from nas_kd.driver.events import Ended, Mended, Scored, Started, Told
from nas_kd.driver.jobs import train_students
from nas_kd.driver.rung_points import (
    Results,
    earlier_points,
    everyone_at,
    goes_on,
    reached,
    rung_point,
    top_cost,
    without_fault,
)
from nas_kd.driver.stopper import LEADERS, survivors
from nas_kd.space.first import never_stopped
from nas_kd.spec import StudySpec
from nas_kd.study.checkpoints import find_result, forget, keep_result, keep_student
from nas_kd.study.record import StudentRecord, outcome
from nas_kd.training import RungResult

Span = tuple[int, int]
"""The epochs from one rung to the next: the first, and the one after the last."""

Idle = Callable[[Results], None]
"""Called with the results so far when a worker would wait; it may submit a job."""


def next_generation(records: Sequence[StudentRecord], spec: StudySpec) -> tuple[int, range]:
    """The generation that is next, by its number and its trials: the last one if it is not told
    yet, or a new one; no trials are left at the end.

    One that was cut short, because the study had no more trials, is not filled up once one of its
    trials is told.
    """
    generation = records[-1].generation if records else -1
    last = [record for record in records if record.generation == generation]
    if all(record.finished for record in last):
        return generation + 1, trials_from(len(records), spec)
    if any(record.finished and record.state != "cancelled" for record in last):
        # all of it was proposed before any was told
        return generation, range(last[0].number, len(records))
    return generation, trials_from(last[0].number, spec)


def trials_from(first: int, spec: StudySpec) -> range:
    """The trials of a generation that begins with this one."""
    return range(first, min(first + spec.generation, spec.trials))


def run_generation(
    context: SearchContext, generation: int, numbers: range, idle: Idle | None = None
) -> None:
    """Propose, train and tell the trials of a generation; `idle` is called with the results so far
    whenever a worker would wait for the last of them."""
    propose_missing(context, numbers, generation)
    records = context.ledger.records()[numbers.start : numbers.stop]
    results = climb(context, [r for r in records if taking_part(r)], idle)
    for record in records:
        if not record.finished:
            tell(context, record, results.get(record.number, []))


def taking_part(record: StudentRecord) -> bool:
    """Whether a trial is compared with its generation: told or not, but trained and not cancelled.

    After a crash between two tells the told ones still decide who is stopped.
    """
    return record.state != "cancelled" and record.duplicate_of is None


def climb(
    context: SearchContext, records: Sequence[StudentRecord], idle: Idle | None = None
) -> Results:
    """Train the trials from rung to rung; return the results of each up to its last rung.

    The fixed first trials (default students and ladder) are never stopped, because the other
    trials are compared with them, so they need not wait at a rung. The ladder's students come
    first. If there are more than two cohorts for each worker, every ladder student trains
    through all spans in one job, because a front exists only once the ladder has ended. The
    default students train while the other trials wait for each other at a rung.
    """
    results: Results = {record.number: [] for record in records}
    defaults, narrow = never_stopped(context.space)
    steady = {*defaults, *narrow}
    spans = list(pairwise((0, *context.recipe.rungs, context.recipe.epochs)))
    live = list(records)
    for rung, span in enumerate(spans):
        pieces = cohorts(context.recipe, live, (defaults, narrow))
        queued = len(pieces) > 2 * context.queue.workers
        for cohort in sorted(pieces, key=lambda piece: piece[0].number not in narrow):
            number = cohort[0].number
            if number not in steady:
                advance(context, cohort, [span], results)
            elif rung == 0:
                ahead = queued and number in narrow
                advance(context, cohort, spans, results, len(spans) if ahead else 1)
        waiting = partial(idle, results) if idle and rung == len(spans) - 1 else None
        context.queue.run_until(partial(everyone_at, live, rung, results), waiting)
        live = [record for record in live if reached(results[record.number], rung)]
        if live and rung < len(context.recipe.rungs):
            live = compared(context, records, live, results, rung)
    return results


def compared(
    context: SearchContext,
    generation: Sequence[StudentRecord],
    live: Sequence[StudentRecord],
    results: Results,
    rung: int,
) -> list[StudentRecord]:
    """Return the trials that go on from a rung, and report the others as stopped there."""
    known, stop = context.ledger.records(), context.recipe.rungs[rung]
    axis, top = context.axis, top_cost(context.space, known)
    points = [rung_point(r, results[r.number][rung].accuracy, axis, top) for r in live]
    earlier = earlier_points(known, generation, stop, axis, top)
    on = survivors(points, earlier, context.spec.eta, LEADERS)
    on |= {number for numbers in never_stopped(context.space) for number in numbers}
    further = [record for record in live if goes_on(record, stop, on)]
    for record in live:
        if record not in further:
            say(context, record, results[record.number][-1], f"stopped at epoch {stop}")
    return further


def advance(
    context: SearchContext,
    cohort: Sequence[StudentRecord],
    spans: Sequence[Span],
    results: Results,
    at_once: int = 1,
) -> None:
    """Train a cohort through these spans of epochs, `at_once` of them in each job.

    A span is skipped if the results of the whole cohort are stored. If only some of them are
    stored, the whole cohort trains again, because the last bits of a result depend on which
    students train together; but not those that are told, whose checkpoints are removed.
    """
    cohort = without_fault(cohort, results)
    if not spans or not cohort:
        return
    stop = spans[0][1]
    kept = {r.number: told_result(r, stop) or found_result(context, r.number, stop)
            for r in cohort}  # fmt: skip
    missing = [r for r in cohort if not r.finished] if not all(kept.values()) else []
    there = [r for r in cohort if r not in missing]
    arrive(context, there, results, tuple(filter(None, (kept[r.number] for r in there))))
    if not missing:
        advance(context, cohort, spans[1:], results, at_once)
        return
    at_once = 1 if there else at_once
    go_on = partial(advance, context, cohort, spans[at_once:], results, at_once)
    train(context, missing, spans[:at_once], results, go_on)


def found_result(context: SearchContext, trial: int, epoch: int) -> RungResult | None:
    """The kept result of a trial at a rung; one that is spoiled is said, and is none."""
    text = f"trial {trial} at epoch {epoch}: its checkpoint is not as it was written"
    return find_result(
        context.folder, trial, epoch, lambda: context.observe(Mended("spoiled", text))
    )


def told_result(record: StudentRecord, epoch: int) -> RungResult | None:
    """What a told trial had at a rung, without its checkpoint."""
    accuracy = record.at(epoch) if record.finished else None
    if accuracy is None:
        return None
    fault = record.fault if epoch == record.rungs[-1][0] else None
    return RungResult(record.number, accuracy, epoch, 0.0, b"", fault)


def train(
    context: SearchContext,
    cohort: Sequence[StudentRecord],
    spans: Sequence[Span],
    results: Results,
    then: Callable[[], None],
) -> None:
    """Send a cohort out to be trained through spans of epochs; `then` follows its results."""
    start, stop = spans[0]
    stops = [end for _, end in spans]
    numbers = [record.number for record in cohort]
    before = {n: results[n][-1].checkpoint if results[n] else None for n in numbers}
    members = [
        context.recipe.member(
            r.number, r.config, r.settings, weight_seed_trial(context.space, r.number),
            before[r.number],
        )
        for r in cohort
    ]  # fmt: skip
    name = f"trial{'s' * (len(cohort) > 1)} " + ", ".join(map(str, numbers))
    progress = context.folder.progress(f"{numbers[0]:05}")
    context.observe(Started(name, stops[-1] - start, progress, planned=True))

    def arrived(given: tuple[tuple[RungResult, ...], ...]) -> None:
        progress.unlink(missing_ok=True)
        context.observe(Ended(name))
        told = {record.number for record in cohort if record.finished}
        for result in chain(*given):
            if result.trial not in told:
                keep_result(context.folder, result)
        for at_rung in given:
            arrive(context, without_fault(cohort, results), results, at_rung)
        then()

    job = context.recipe.job(members, context.signals, start, stop)
    context.queue.submit(train_students, job, stops[1:], progress, then=arrived)


def arrive(
    context: SearchContext,
    cohort: Sequence[StudentRecord],
    results: Results,
    given: tuple[RungResult, ...],
) -> None:
    """Take kept results, and say so where one is the trial's last."""
    for record, result in zip(cohort, given, strict=True):
        results[record.number].append(result)
        if result.fault or result.epochs == context.recipe.epochs:
            say(context, record, result, result.fault)


def say(
    context: SearchContext, record: StudentRecord, result: RungResult, stopped: str | None
) -> None:
    """Tell whoever listens how a trial ended, unless it was told before."""
    if not record.finished:
        context.observe(Scored(record, result.accuracy, context.axis, stopped))


def tell(context: SearchContext, record: StudentRecord, results: Sequence[RungResult]) -> None:
    """Finish a trial in the database; a completed student is written to disk before that, and the
    trial's checkpoints are removed afterwards."""
    context.queue.check()
    if record.duplicate_of is not None:
        same = context.ledger.records()[record.duplicate_of]
        values = None if same.accuracy is None else (same.accuracy, same.costs[context.axis])
        context.ledger.tell(record.number, values, {})
        context.observe(Told(context.ledger.record(record.number)))
        return
    last = results[-1]
    rungs = [(result.epochs, result.accuracy) for result in results]
    facts = outcome(rungs, sum(result.seconds for result in results), last.fault)
    complete = last.fault is None and last.epochs == context.recipe.epochs
    values = (last.accuracy, record.costs[context.axis]) if complete else None
    if complete:
        keep_student(context.folder.student(record.number), record.config, last)
    context.ledger.tell(record.number, values, facts)
    forget(context.folder, record.number)
    context.observe(Told(context.ledger.record(record.number)))
