"""Where trials stand at a rung: what the stopper is told of them."""

from collections.abc import Container, Sequence

from nas_kd.front import Point, floored
from nas_kd.space.first import first_samples
from nas_kd.space.space import Space
from nas_kd.study.record import StudentRecord
from nas_kd.training import RungResult

Results = dict[int, list[RungResult]]
"""Each trial's results, rung by rung."""


def top_cost(space: Space, records: Sequence[StudentRecord]) -> float:
    """What a student can cost: the first budget, or as much as the costliest default student where
    another budget binds."""
    budget, fixed = space.budgets[0], records[: len(first_samples(space))]
    return min(budget.bound, max(record.costs[budget.cost] for record in fixed))


def rung_point(record: StudentRecord, accuracy: float, axis: str, top: float) -> Point:
    """A trial as the stopper sees it: a point of accuracy and cost.

    A cost below a tenth of `top` counts as a tenth, as it does in the hypervolume. So of many
    tiny students only the most accurate is on the front.
    """
    return Point(record.number, accuracy, floored(record.costs[axis], top))


def earlier_points(
    records: Sequence[StudentRecord],
    generation: Sequence[StudentRecord],
    epoch: int,
    axis: str,
    top: float,
) -> list[Point]:
    """The points at a rung of the students of generations before this one."""
    return [
        rung_point(record, accuracy, axis, top)
        for record in records[: generation[0].number]
        if record.duplicate_of is None
        for reached, accuracy in record.rungs
        if reached == epoch
    ]


def goes_on(record: StudentRecord, stop: int, on: Container[int]) -> bool:
    """Whether a trial goes on from the rung at epoch `stop`.

    For a finished trial, this is what it did then. Trials that were cancelled since do not
    change it.
    """
    if record.finished:
        return any(epoch > stop for epoch, _ in record.rungs)
    return record.number in on


def reached(results: Sequence[RungResult], rung: int) -> bool:
    """Whether a trial came to this rung without a fault."""
    return len(results) > rung and results[rung].fault is None


def everyone_at(records: Sequence[StudentRecord], rung: int, results: Results) -> bool:
    """Whether every trial is at this rung, or failed before."""
    mine = [results[record.number] for record in records]
    return all(len(one) > rung or (one and one[-1].fault) for one in mine)


def without_fault(cohort: Sequence[StudentRecord], results: Results) -> list[StudentRecord]:
    """Those of a cohort without a fault so far."""
    return [r for r in cohort if not (results[r.number] and results[r.number][-1].fault)]
