"""What a study has to say: each card is made here once, for terminal, page and notebook."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from plotly.graph_objects import Figure

from nas_kd.check.findings import read_findings
from nas_kd.confirm.confirmation import confirm_of_the_best
from nas_kd.driver.stopper import LEADERS
from nas_kd.front import hypervolume
from nas_kd.intervals import Estimate, interval
from nas_kd.report.card import HIGH, LOW, Card, State, differences_frame, interval_columns, state_of
from nas_kd.report.confirmed import confirmed_controls, confirmed_verdict
from nas_kd.report.figures import (
    bars_figure,
    differences_figure,
    pareto_data,
    pareto_figure,
    rungs_figure,
)
from nas_kd.report.smallest import rise
from nas_kd.report.summary import TEACHER, Line, doubts_of, lines_of, place_of
from nas_kd.report.verdict import verdict_of
from nas_kd.study.mishaps import in_words, mishaps
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView


def cards(view: StudyView) -> tuple[Card, ...]:
    """Every card of a study. Raises UnusableStudy before the first completed trial."""
    return (
        verdict(view), controls(view), front(view), budget_use(view), time(view), stopped(view),
        on_the_way(view), findings(view),
    )  # fmt: skip


def verdict(view: StudyView) -> Card:
    """What distillation gained, and what the search gained: of a confirm of the best student, or of
    the search."""
    found = confirm_of_the_best(view)
    return confirmed_verdict(view, found) if found else search_verdict(view)


def controls(view: StudyView) -> Card:
    """The best student beside what it must beat: of a confirm of it, or of the search."""
    found = confirm_of_the_best(view)
    return confirmed_controls(view, found) if found else search_controls(view)


def search_verdict(view: StudyView) -> Card:
    """What a search says before any confirm."""
    found, doubts = verdict_of(view), doubts_of(view)
    rows = {} if view.spec.teacher_classes else {"distilled minus alone": found.distillation}
    count = view.facts["data"]["validation"]
    frame = differences_frame(rows, f"one seed, {count:,} validation examples")
    kept = view.folder.confirmation.exists()
    stale = "Its confirm is of other students. " * (kept and confirm_of_the_best(view) is None)
    again = f"{stale}With several seeds, on the test split: nas-kd confirm {place_of(view)}"
    said = " ".join((*found.sentences, *doubts, again))
    if found.distillation is None and found.search is None:
        state: State = "not yet"
    else:
        signs = [found.distillation.sign] if found.distillation else []
        state = state_of([*signs, int((found.search or 0.0) > 0)], bool(doubts))
    return Card("verdict", "Verdict", said, state, frame, differences_figure(rows))


def search_controls(view: StudyView) -> Card:
    """The closing table of a search."""
    lines, best = lines_of(view), view.pick("best")
    frame = pd.DataFrame([line_row(view, one) for one in lines])
    over = [
        one.name
        for one in lines
        if one.name != TEACHER and (one.accuracy or 0.0) > (best.accuracy or 0.0)
    ]
    said = judged_on(view)
    if over:
        said += f" Better than the best trial: {', '.join(over)}."
    marked = tuple(n for n, one in enumerate(lines) if one.name.startswith("best ("))
    state: State = "look here" if over else "good"
    return Card("controls", "The best and its controls", said, state, frame, marked=marked)


def line_row(view: StudyView, one: Line) -> dict[str, Any]:
    """A network of the closing table as a row."""
    low, high = one.interval or (None, None)
    extra = {} if view.cost == "parameters" else {view.cost: one.cost}
    state = {} if one.state == "complete" else {"state": one.state}
    return {
        "network": one.name, "student": one.label, "parameters": one.parameters, **extra,
        "times smaller": one.smaller, view.metric: one.accuracy,
        f"{view.metric}{LOW}": low, f"{view.metric}{HIGH}": high, **state,
    }  # fmt: skip


def judged_on(view: StudyView) -> str:
    """What stands behind the figures of a search."""
    count = view.facts["data"]["validation"]
    alone = "" if view.spec.teacher_classes else "Alone: trained without the teacher. "
    unknown = any(view.score_of(one) is None for one in view.teachers)
    return (
        f"{alone}{view.metric.capitalize()} on {count:,} validation examples, one seed, 95% "
        "intervals." + " That of the teacher is not known." * unknown
    )


def front(view: StudyView) -> Card:
    """The Pareto front, and what more cost buys."""
    frame = pd.DataFrame([
        {"trial": str(row.number), "student": row.config.name(), view.cost: row.costs[view.cost],
         **interval_columns(view.metric, around(view, row))}
        for row in view.front
    ])  # fmt: skip
    bound = view.facts["budgets"][0][1]
    volume = hypervolume(view.points, bound, view.facts["chance"], view.examples)
    said = f"{rise(view)} Hypervolume {volume:.3f}, from 0 (chance) to 1.".strip()
    state: State = "good" if len(view.front) > 2 else "look here"
    return Card("front", "The front", said, state, frame, pareto_figure(pareto_data(view)))


def around(view: StudyView, row: StudentRecord) -> Estimate:
    """The accuracy of a completed trial with its interval."""
    reached = row.accuracy or 0.0
    return Estimate(reached, *interval(reached, view.examples))


def budget_use(view: StudyView) -> Card:
    """How much of each budget the best student and the knee use."""
    rows = []
    for kind, bound in view.facts["budgets"]:
        for which in ("best", "knee"):
            used = view.pick(which).costs[kind]
            rows.append((f"{bound:,.0f} {kind}", which, used, used / bound))
    frame = pd.DataFrame(rows, columns=["budget", "student", "used", "share of the budget"])
    best = view.pick("best")
    said = f"The best student, trial {best.number}, uses {best.fill:.1%} of the first budget."
    if best.fill < 0.5:
        said += " A smaller budget may do."
    over = any(share > 1 for *_, share in rows)
    names = [f"{which}: {budget}" for budget, which, *_ in rows]
    figure = bars_figure(names, [100 * row[-1] for row in rows], "share of the budget, %")
    return Card("budget", "Budget use", said, "bad" if over else "good", frame, figure)


def time(view: StudyView) -> Card:
    """What took the time."""
    parts: Mapping[str, list[float]] = {
        "teacher": [one["seconds"] for one in view.teachers],
        "students to the end": [r.seconds or 0 for r in view.rows if r.state == "complete"],
        "students that were stopped": [r.seconds or 0 for r in view.rows if r.state == "stopped"],
        "students that failed": [r.seconds or 0 for r in view.rows if r.state == "failed"],
    }
    total = sum(map(sum, parts.values())) or 1.0
    frame = pd.DataFrame(
        [(name, len(some), sum(some), sum(some) / total) for name, some in parts.items()],
        columns=["what", "trainings", "seconds", "share of the time"],
    )
    said = f"{total:,.0f} seconds of work in all, which the workers shared."
    figure = bars_figure([*parts], [sum(some) for some in parts.values()], "seconds")
    state: State = "good" if parts["students to the end"] else "not yet"
    return Card("time", "Time", said, state, frame, figure)


def stopped(view: StudyView) -> Card:
    """Who was stopped where, and what that saved."""
    ended: dict[tuple[str, int], int] = {}
    for row in view.rows:
        key = row.state, row.rungs[-1][0] if row.rungs else 0
        ended[key] = ended.get(key, 0) + 1
    frame = pd.DataFrame(
        [(state, epoch, count) for (state, epoch), count in sorted(ended.items())],
        columns=["state", "at epoch", "trials"],
    )
    failed = sum(row.state in ("failed", "cancelled") for row in view.rows)
    climbed = [row.rungs[-1][0] for row in view.rows if row.rungs]
    share = sum(climbed) / (len(climbed) * view.epochs) if climbed else 1.0
    if view.rungs:
        said = (
            f"Trials are compared at epochs {', '.join(map(str, view.rungs))}. The front there "
            "goes on (of students below a tenth of the budget, one at most), one in "
            f"{view.spec.eta:g} of a generation, the nearest to it, and the {LEADERS} most "
            f"accurate; the fixed first students always do. {share:.0%} of all epochs were trained."
        )
    else:
        said = "There are no rungs: every trial is trained to its end."
    if failed:
        said += f" {failed} failed or were cancelled: nas-kd trials {place_of(view)}."
    figure: Figure | None = rungs_figure(view) if view.rungs else None
    return Card("stopped", "Rungs", said, "look here" if failed else "good", frame, figure)


def on_the_way(view: StudyView) -> Card:
    """What was lost, done again or stopped by a fault."""
    found = mishaps(view.folder)
    failed = [row for row in view.rows if row.fault is not None]
    phrases = in_words(found)
    if failed:
        phrases.append(f"{len(failed)} of {len(view.rows)} students failed")
    rows: list[tuple[str, str, str]] = [(one.kind, one.text, one.when) for one in found]
    rows += [("failed", f"trial {row.number}: {row.fault}", "") for row in failed]
    frame = pd.DataFrame(rows, columns=["kind", "what", "when"])
    said = f"On the way: {', '.join(phrases)}." if phrases else "Nothing went wrong on the way."
    return Card("mishaps", "On the way", said, "look here" if failed else "good", frame)


def findings(view: StudyView) -> Card:
    """What the last `check` of the study found."""
    found = read_findings(view.folder.findings)
    if found is None:
        said = f"Nobody looked yet: nas-kd check {place_of(view)}"
        return Card("check", "Findings", said, "not yet", pd.DataFrame())
    frame = pd.DataFrame(
        [(one.how_bad, one.about, one.what, one.what_to_do) for one in found.findings],
        columns=["state", "about", "what", "to do"],
    )
    wrong = any(one.how_bad == "wrong" for one in found.findings)
    state: State = "bad" if wrong else "look here" if found.findings else "good"
    count = len(found.findings)
    said = f"{count} finding{'s' * (count != 1)} on {found.when}." if count else "Nothing is wrong."
    return Card("check", "Findings", said, state, frame)
