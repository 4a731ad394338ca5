"""Two studies that were confirmed against each other, as a card."""

import pandas as pd

from nas_kd.confirm.against import Against
from nas_kd.metrics import metric_in_words
from nas_kd.report.card import Card, State
from nas_kd.report.cards import interval_columns
from nas_kd.report.figures import differences_figure


def against_card(result: Against) -> Card:
    """The best students of two studies, and which is better."""
    metric = metric_in_words(result.metric)
    frame = pd.DataFrame([
        {"study": study, "student": one.label, "parameters": one.costs["parameters"],
         "epochs": epochs, "teacher": teacher, **interval_columns(metric, one.reached)}
        for study, one, epochs, teacher in zip(
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
