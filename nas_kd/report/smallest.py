"""The inverse question: the cheapest student that reaches an accuracy, and what more cost buys."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import log, sqrt
from shlex import quote
from typing import Any

from nas_kd.confirm.confirmation import confirmed_as
from nas_kd.costs.budgets import LATENCY
from nas_kd.driver.options import root_flag
from nas_kd.errors import InvalidSpec
from nas_kd.intervals import Estimate, interval, interval_in_words
from nas_kd.spec.teachers import path_of
from nas_kd.spec.trust import trust_flag
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView


@dataclass(frozen=True, slots=True)
class Answer:
    """The cheapest student measured at the target, and the cheapest that is surely there."""

    target: float
    reached: StudentRecord | None
    sure: StudentRecord | None
    below: StudentRecord | None
    """The dearest student of the front that is cheaper than `reached` and below the target."""


def target_of(view: StudyView, accuracy: str | None, of_teacher: str | None) -> float:
    """The accuracy that is asked for, in [0, 1]. Raises InvalidSpec."""
    if (accuracy is None) == (of_teacher is None):
        raise InvalidSpec(("say one of --accuracy 98.5% and --of-teacher 99%",))
    text = of_teacher or "" if accuracy is None else accuracy
    flag = "--of-teacher" if accuracy is None else "--accuracy"
    try:
        share = float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise InvalidSpec((f"{flag}: say 98.5% or 0.985 (given: {text!r})",))
    if not of_teacher:
        return share
    if view.teacher_score is None:
        wrong = "--of-teacher: the teacher's accuracy is not known; say --accuracy 98.5%"
        raise InvalidSpec((wrong,))
    return share * view.teacher_score


def find(view: StudyView, target: float) -> Answer:
    """Look up the answer on the Pareto front.

    `sure` is the cheapest student whose accuracy minus one standard error reaches the target.
    """
    front = view.front
    reached = next((row for row in front if accuracy(row) >= target), None)
    sure = next((row for row in front if lower(view, row) >= target), None)
    cheaper = [row for row in front if accuracy(row) < target]
    return Answer(target, reached, sure, cheaper[-1] if cheaper else None)


def accuracy(row: StudentRecord) -> float:
    """The accuracy of a completed trial."""
    assert row.accuracy is not None
    return row.accuracy


def lower(view: StudyView, row: StudentRecord) -> float:
    """One standard error below a student's accuracy."""
    return interval(accuracy(row), view.examples, 1.0)[0]


def answer_in_words(view: StudyView, answer: Answer) -> str:
    """The answer, and the command for the next step."""
    asked = f"{100 * answer.target:.2f}%"
    if answer.reached is None:
        best, bound = view.pick("best"), view.facts["budgets"][0][1]
        return (
            f"No student of {view.folder.root.name} reaches {asked}; the best is "
            f"{named(view, best)}.\nWith twice the budget: {search(view, 2 * bound)}"
        )
    lines = [f"{named(view, answer.reached)} is the cheapest at {asked} or more."]
    if answer.sure is None:
        lines.append("No student is above it by a standard error.")
    elif answer.sure.number != answer.reached.number:
        lines.append(f"Surely there, by a standard error, is {named(view, answer.sure)}.")
    if not confirmed(view, answer.reached):
        place = quote(str(view.folder.root))
        lines.append(
            "It was chosen for its accuracy, which leans upward; trained anew and scored on the "
            f"test split: nas-kd confirm {place} --trial {answer.reached.number}"
            f"{trust_flag(view.spec.model_dump())}"
        )
    reached = answer.reached.costs[view.cost]
    low = answer.below.costs[view.cost] if answer.below else reached / 2
    lines.append(f"To look for a cheaper one: {search(view, sqrt(low * reached))}")
    return "\n".join(lines)


def named(view: StudyView, row: StudentRecord) -> str:
    """A trial with its size and its accuracy; if it was confirmed, also that on the test split."""
    reached = f"{interval_in_words(accuracy(row), view.examples)}% on validation"
    if anew := confirmed(view, row):
        reached += f", confirmed {anew.in_words()}% on test"
    return (
        f"trial {row.number} ({row.config.name()}, {row.costs[view.cost]:,} {view.cost}, {reached})"
    )


def confirmed(view: StudyView, row: StudentRecord) -> Estimate | None:
    """What a confirm found of a trial; None if it was not confirmed."""
    found = confirmed_as(view, row)
    return found[1].reached if found else None


UNITS = {"parameters": "", "macs": " macs", "bytes": "B", "ram": "B ram", LATENCY: "us"}


def weight_files(teachers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The files that --teacher-weights named, in order."""
    for one in teachers:
        yield from weight_files(one["parts"])
        if one["weights"] and path_of(one["target"]) is None:
            yield one["weights"]


def search(view: StudyView, bound: float) -> str:
    """The command that searches at another bound, all else as it was."""
    budgets = [[view.cost, bound], *view.facts["budgets"][1:]]
    said = " ".join(f"--budget '{round(most)}{UNITS[cost]}'" for cost, most in budgets)
    file = "".join(f" --teacher-weights {quote(path)}" for path in weight_files(view.teachers))
    root = root_flag(view.facts["data_root"])
    code = trust_flag(view.spec.model_dump())
    return f"nas-kd search {quote(str(view.folder.spec))} {said}{root}{file}{code}"


NEAR = 1.25
"""Costs that differ by a smaller factor are nearly the same."""


def rise(view: StudyView) -> str:
    """What more cost bought at the front's end, in one sentence.

    Its students that cost at least a third of the last one are read as a line in (log cost,
    accuracy); nothing is said where there are fewer than two, or all cost nearly the same.
    """
    front = view.front
    last = front[-1].costs[view.cost] if front else 0
    near = [row for row in front if row.costs[view.cost] >= last / 3]
    if len(near) < 2 or last < NEAR * near[0].costs[view.cost]:
        return ""
    first = near[0].costs[view.cost]
    gained = 100 * (accuracy(near[-1]) - accuracy(near[0]))
    return (
        f"From {first:,} to {last:,} {view.cost} the front rises by {gained:.1f} points: "
        f"{gained * log(2) / log(last / first):.1f} with each doubling."
    )
