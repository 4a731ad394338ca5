"""Promotion: after each generation, the most promising stopped students go on.

A student is stopped by a comparison at one rung. Later trials show how much students of
similar cost and family improve after that rung. Optuna never changes a finished trial, so a
promoted student goes on as a new trial, whose field `continues` has the number of the stopped
trial.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby, pairwise

from nas_kd.driver.ask import propose_again
from nas_kd.driver.cohorts import cohorts
from nas_kd.driver.context import SearchContext
from nas_kd.driver.events import Step
from nas_kd.driver.expected_improvement import LearningCurve, Scale, chosen
from nas_kd.driver.generation import Ending, advance, tell
from nas_kd.driver.rung_points import Results, everyone_at, top_cost
from nas_kd.space.first import never_stopped
from nas_kd.study.checkpoints import find_result, forget
from nas_kd.study.folder import StudyFolder
from nas_kd.study.record import StudentRecord, asked, one_per_student
from nas_kd.training import RungResult


def promote_stopped(context: SearchContext, end: int, ending: Ending | None = None) -> None:
    """Promote stopped students after the generation that ends before place `end`.

    `end` counts the asked trials, not the promoted ones. No student is promoted before all
    fixed first trials have ended, because the other trials are compared with them. All
    promoted trials of a generation are proposed before any of them is told. A promoted trial
    that was begun is always finished, even if the study is resumed with more trials, so that
    its generations end at other places.
    """
    records = context.ledger.records()
    places = asked(records)
    following = places[end].number if len(places) > end else None
    _, narrow = never_stopped(context.space)
    if following is None and end >= narrow.stop:
        propose_promising(context, records, places[-1].number + 1)
    going = [
        record
        for record in context.ledger.records()[:following]
        if not record.finished and record.continues is not None
    ]
    if going:
        originals = ", ".join(str(record.original) for record in going)
        context.observe(Step(f"chances   trial{'s' * (len(going) > 1)} {originals} will go on"))
        finish(context, going, ending)


def propose_promising(context: SearchContext, records: Sequence[StudentRecord], first: int) -> None:
    """Propose those that go on, from number `first` on, unless some of them are told already."""
    before, begun = records[:first], records[first:]
    if any(record.finished and record.state != "cancelled" for record in begun):
        return
    known = {record.original for record in begun}
    for number in promising(context, before):
        if number not in known:
            propose_again(context.ledger, before[number])


def promising(context: SearchContext, records: Sequence[StudentRecord]) -> list[int]:
    """The stopped trials that go on, of all so far."""
    spec, facts = context.spec, context.ledger.facts()
    gone = {record.original for record in records if record.continues is not None}
    now = [record for record in one_per_student(records) if record.rungs]
    curves = {record.number: curve_of(record, context.axis) for record in now}
    spent = sum(curve.rungs[-1][0] for curve in curves.values())
    allowed = int(spec.second_chances * spec.epochs * len(curves))
    ended = [curves[record.number] for record in now if record.state == "complete"]
    waiting = [
        curves[record.number]
        for record in now
        if record.state == "stopped" and record.number not in gone
    ]
    scale = Scale(top_cost(context.space, records), facts["chance"], facts["examples"])
    return chosen(ended, waiting, spec.epochs, allowed - spent, scale)


def curve_of(record: StudentRecord, axis: str) -> LearningCurve:
    """How far a told trial came."""
    return LearningCurve(record.number, record.config.family, record.costs[axis], record.rungs)


def finish(context: SearchContext, going: Sequence[StudentRecord], ending: Ending | None) -> None:
    """Train promoted trials from the rung where they were stopped to the end; tell them."""
    known, spec = context.ledger.records(), context.spec
    results: Results = {r.number: so_far(context.folder, r, known[r.original]) for r in going}

    def start(record: StudentRecord) -> int:
        return results[record.number][-1].epochs if results[record.number] else 0

    pieces = [
        (first, piece)
        for first, group in groupby(sorted(going, key=start), key=start)
        for piece in cohorts(context.recipe, list(group))
    ]
    ends = (*spec.rungs, spec.epochs)
    for first, piece in pieces:
        spans = list(pairwise((first, *(end for end in ends if end > first))))
        advance(context, piece, spans, results)
    idle: Callable[[], None] | None = partial(ending.idle, context, results) if ending else None
    context.queue.run_until(partial(everyone_at, going, len(spec.rungs), results), idle)
    for record in going:
        tell(context, record, results[record.number])
        forget(context.folder, record.original)


def so_far(folder: StudyFolder, record: StudentRecord, stopped: StudentRecord) -> list[RungResult]:
    """The results of a stopped trial, renumbered as results of the trial that continues it.

    Only the last result has its checkpoint. If that checkpoint is lost, the list is empty, and
    the student is trained from the beginning.
    """
    kept = find_result(folder, stopped.number, stopped.rungs[-1][0])
    if kept is None:
        return []
    results = [RungResult(record.number, a, epoch, 0.0, b"") for epoch, a in stopped.rungs]
    return [*results[:-1], replace(results[-1], checkpoint=kept.checkpoint)]
