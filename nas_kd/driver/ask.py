"""Asking: each proposal is written with all that is known of it before it is trained."""

from collections.abc import Mapping
from dataclasses import replace

from nas_kd.costs.budgets import COSTS
from nas_kd.driver.context import SearchContext
from nas_kd.space.sample import distributions, params_of, settings_of
from nas_kd.space.sampler import propose_all
from nas_kd.space.space import Space
from nas_kd.spec.settings import Sample
from nas_kd.students.decode import cost, counts
from nas_kd.students.family import StudentConfig
from nas_kd.study.record import StudentRecord


def propose_missing(context: SearchContext, numbers: range, generation: int) -> None:
    """Write those trials of a generation that are not proposed yet."""
    context.queue.check()
    trials, known = context.ledger.trials(), context.ledger.records()
    missing = range(max(numbers.start, len(known)), numbers.stop)
    searched = distributions(context.space)
    gone = {record.number for record in known if record.state == "cancelled"}
    trained = [r for r in known if not {r.number, r.duplicate_of} & gone]
    seen = {record.identity: record.number for record in reversed(trained)}
    for number, sample in propose_all(trials, missing, context.space):
        record = new_record(context.space, number, sample, generation)
        record = replace(record, duplicate_of=seen.get(record.identity))
        seen.setdefault(record.identity, number)
        params = params_of(context.space, sample, searched)
        context.ledger.propose(number, params, searched, record.proposed())


def new_record(space: Space, number: int, sample: Sample, generation: int) -> StudentRecord:
    """The record of a sample that nobody trained yet."""
    config, first = space.student(sample), space.budgets[0]
    return StudentRecord(
        number,
        config,
        settings_of(space, sample),
        costs_of(space, config),
        fill=round(cost(config, first) / first.bound, 4),
        generation=generation,
    )


def costs_of(space: Space, config: StudentConfig) -> Mapping[str, int]:
    """What a student costs, of each kind that can be counted or is bounded."""
    size = counts(config)
    measured = {b.cost: cost(config, b) for b in space.budgets if b.cost not in COSTS}
    return {name: count(size, config.bits) for name, count in COSTS.items()} | measured
