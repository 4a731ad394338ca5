"""What a confirm found, as cards: the verdict, the best and its controls, and two studies."""

from typing import Any

import pandas as pd

from nas_kd.confirm.against import Against
from nas_kd.confirm.confirmation import Confirmation, Confirmed
from nas_kd.metrics import metric_in_words
from nas_kd.report.card import HIGH, LOW, Card, State, differences_frame, interval_columns, state_of
from nas_kd.report.figures import differences_figure
from nas_kd.report.summary import Line, doubts_of, teacher_lines
from nas_kd.study.view import StudyView


def confirmed_verdict(view: StudyView, found: Confirmation) -> Card:
    """What distillation gained, and what the search gained."""
    both = {"distilled minus alone": found.distillation, "best minus largest": found.search}
    rows = {name: one for name, one in both.items() if one}
    frame = differences_frame(rows, f"{found.seeds} seeds, {found.examples:,} test examples")
    doubts = doubts_of(view)
    looked = f"The test split had been looked at before: {found.looks} scores." * bool(found.looks)
    said = " ".join(filter(None, (*found.sentences, *doubts, looked)))
    signs = [one.sign for one in rows.values()]
    state = state_of(signs, bool(doubts or looked))
    return Card("verdict", "Verdict", said, state, frame, differences_figure(rows))


def confirmed_controls(view: StudyView, found: Confirmation) -> Card:
    """Every student of a confirm."""
    scores = zip(teacher_lines(view), found.teachers, strict=True)
    rows = [teacher_row(found, line, score) for line, score in scores]
    marked = (len(rows),)
    rows += [confirmed_row(found, one) for one in found.students]
    beaten = [one.role for one in found.students if one.behind and one.behind.sign < 0]
    alone = "" if view.spec.teacher_classes else "Alone: trained without the teacher. "
    said = (
        f"{alone}{found.metric_name.capitalize()} on "
        f"{found.examples:,} test examples, means of {found.seeds} seeds of {found.epochs} "
        f"epoch{'s' * (found.epochs > 1)}, "
        f"95% intervals over {found.covers}."
    )
    if beaten:
        said += f" Better than the best: {', '.join(beaten)}."
    state: State = "look here" if beaten else "good"
    frame = pd.DataFrame(rows)
    return Card("controls", "The best and its controls", said, state, frame, marked=marked)


def teacher_row(found: Confirmation, line: Line, score: float | None) -> dict[str, Any]:
    """A teacher beside confirmed students."""
    extra = {} if found.cost == "parameters" else {found.cost: line.cost}
    return {"network": line.name, "student": line.label, "parameters": line.parameters, **extra,
            found.metric_name: score}  # fmt: skip


def confirmed_row(found: Confirmation, one: Confirmed) -> dict[str, Any]:
    """A confirmed student as a row."""
    kinds = dict.fromkeys(("parameters", found.cost))
    failed = sum(seed is None for seed in one.seeds)
    state = {"state": f"{failed} of {len(one.seeds)} seeds failed"} if failed else {}
    plain = one.trial is None or one.role == f"trial {one.trial}"
    return {
        "network": one.role if plain else f"{one.role} (trial {one.trial})",
        "student": one.label,
        **{kind: one.costs.get(kind) for kind in kinds},
        **interval_columns(found.metric_name, one.reached),
        **interval_columns("best minus it", one.behind),
        **state,
    }


def against_card(result: Against) -> Card:
    """The best students of two studies, and which is better."""
    metric = metric_in_words(result.metric)
    teacher = f"teacher's {metric}"
    frame = pd.DataFrame([
        {"study": study, "student": one.label, "parameters": one.costs["parameters"],
         "epochs": epochs, **interval_columns(metric, one.reached),
         teacher: asked, f"{teacher}{LOW}": None, f"{teacher}{HIGH}": None}
        for study, one, epochs, asked in zip(
            result.studies, result.students, result.epochs, result.teachers, strict=True
        )
    ])  # fmt: skip
    first, second = result.studies
    said = (
        f"{result.sentence} {metric.capitalize()} on {result.examples:,} test examples, means of "
        f"{result.seeds} seeds, 95% intervals over seeds and examples."
    )
    figure = differences_figure({f"{first} minus {second}": result.difference})
    state: State = "good" if result.difference and result.difference.sign else "look here"
    return Card("against", f"{first} against {second}", said, state, frame, figure)
