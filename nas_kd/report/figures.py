"""Figures in two steps: what is shown, as data, and how it is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

import plotly.graph_objects as go

from nas_kd.intervals import Estimate
from nas_kd.report.summary import lines_of
from nas_kd.spec.settings import settings_in_words
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView

LINES = ("#6b7280", "#b45309", "#be185d", "#4d7c0f", "#0e7490", "#7c3aed")
"""Colours of the lines to compare with."""

COLOURS = ("#2563eb", "#ea580c", "#16a34a", "#9333ea", "#0891b2", "#be123c", "#a16207", "#475569")


@dataclass(frozen=True, slots=True)
class ParetoData:
    """Completed trials by family, the front, and horizontal lines to compare with."""

    cost: str
    metric: str
    families: dict[str, tuple[StudentRecord, ...]]
    front: tuple[StudentRecord, ...]
    lines: tuple[tuple[str, float], ...]
    best: int
    knee: int


def pareto_data(view: StudyView) -> ParetoData:
    """What the Pareto figure shows."""
    done = [row for row in view.rows if row.accuracy is not None]
    families = {row.config.family: () for row in done}
    lines = tuple(
        (one.name, one.accuracy)
        for one in lines_of(view)
        if one.accuracy is not None and (one.name == "teacher" or one.name.startswith("largest"))
    )
    return ParetoData(
        view.cost,
        view.metric,
        {f: tuple(row for row in done if row.config.family == f) for f in sorted(families)},
        view.front,
        lines,
        view.pick("best").number,
        view.pick("knee").number,
    )


def hover(row: StudentRecord) -> str:
    """A trial's whole configuration."""
    reached = f"{100 * (row.accuracy or 0):.2f}%"
    if row.accuracy is None and row.rungs:
        epoch, accuracy = row.rungs[-1]
        reached = f"stopped at epoch {epoch}, {100 * accuracy:.2f}%"
    return (
        f"<b>trial {row.number}</b>: {reached}<br>"
        f"{row.config.family}, depth {row.config.depth}, channels {row.config.label()}"
        f"{row.config.extras()}<br>"
        f"{row.costs['parameters']:,} parameters, {row.costs['macs']:,} MACs<br>"
        f"{settings_in_words(row.settings)}<br>"
        f"fill {row.fill:.1%}, {row.seconds or 0:.1f} s"
    )


def pareto_figure(data: ParetoData) -> go.Figure:
    """Accuracy against cost on a log axis, families as colours, controls as lines."""
    figure = go.Figure()
    for (family, rows), colour in zip(data.families.items(), COLOURS * 9, strict=False):
        figure.add_scatter(
            x=[row.costs[data.cost] for row in rows],
            y=[100 * (row.accuracy or 0) for row in rows],
            mode="markers",
            name=family,
            marker={"color": colour, "size": 9, "opacity": 0.75},
            hovertext=[hover(row) for row in rows],
            hoverinfo="text",
        )
    figure.add_scatter(
        x=[row.costs[data.cost] for row in data.front],
        y=[100 * (row.accuracy or 0) for row in data.front],
        mode="lines",
        name="front",
        line={"color": "#111827", "width": 1.5, "shape": "hv"},
        hoverinfo="skip",
    )
    costs = [row.costs[data.cost] for rows in data.families.values() for row in rows]
    low, high = min(costs) / 1.1, max(costs) * 1.1
    for (name, accuracy), colour in zip(data.lines, LINES * 9, strict=False):
        dash = "solid" if name == "teacher" else "dash" if "alone" not in name else "dot"
        figure.add_scatter(
            x=[low, high],
            y=[100 * accuracy] * 2,
            mode="lines",
            name=f"{name} {100 * accuracy:.1f}",
            line={"dash": dash, "width": 1.5, "color": colour},
            hoverinfo="name",
        )
    figure.update_xaxes(title=f"{data.cost} (log)", **log_axis(low, high))
    figure.update_yaxes(title=f"validation {data.metric}, %")
    return dressed(figure)


def history_figure(view: StudyView) -> go.Figure:
    """Each trial's accuracy in the order of numbers, and the best so far."""
    done = [row for row in view.rows if row.accuracy is not None]
    best: list[float] = []
    for row in done:
        best.append(max(best[-1] if best else 0.0, 100 * (row.accuracy or 0)))
    numbers = [row.number for row in done]
    figure = go.Figure()
    figure.add_scatter(
        x=numbers,
        y=[100 * (row.accuracy or 0) for row in done],
        mode="markers",
        name="trial",
        marker={"color": COLOURS[0], "size": 7},
        hovertext=[hover(row) for row in done],
        hoverinfo="text",
    )
    figure.add_scatter(
        x=numbers, y=best, mode="lines", name="best so far",
        line={"color": "#111827", "shape": "hv", "width": 1.5},
    )  # fmt: skip
    figure.update_xaxes(title="trial")
    figure.update_yaxes(title=f"validation {view.metric}, %")
    return dressed(figure)


def rungs_figure(view: StudyView) -> go.Figure:
    """Each trial's accuracy from rung to rung; where a line ends early, the trial was stopped."""
    figure = go.Figure()
    for state, colour in (("stopped", "#9ca3af"), ("complete", COLOURS[0]), ("failed", COLOURS[5])):
        rows = [row for row in view.rows if row.state == state and row.rungs]
        if state == "failed" and not rows:
            continue
        # one trace a state: lines of trials one after another, with a gap between
        points = [point for row in rows for point in (*row.rungs, (None, None))]
        figure.add_scatter(
            x=[epoch for epoch, _ in points],
            y=[None if accuracy is None else 100 * accuracy for _, accuracy in points],
            mode="lines+markers",
            name=f"{state} ({len(rows)})",
            line={"color": colour, "width": 1},
            marker={"size": 5},
            hovertext=[hover(row) for row in rows for _ in range(len(row.rungs) + 1)],
            hoverinfo="text",
        )
    figure.update_xaxes(title="epoch", tickvals=[*view.rungs, view.epochs])
    figure.update_yaxes(title=f"validation {view.metric}, %")
    return dressed(figure)


def differences_figure(rows: Mapping[str, Estimate | None]) -> go.Figure | None:
    """Differences with their intervals, a line each, beside the line of no difference."""
    known = {name: found for name, found in rows.items() if found}
    if not known:
        return None
    figure = go.Figure()
    for name, found in known.items():
        figure.add_scatter(
            x=[100 * found.low, 100 * found.mean, 100 * found.high],
            y=[name] * 3,
            mode="lines+markers",
            line={"color": COLOURS[0] if found.sign >= 0 else COLOURS[5], "width": 2},
            marker={"size": [0, 10, 0]},
            hoverinfo="x",
            showlegend=False,
        )
    figure.add_vline(x=0, line={"color": "#111827", "width": 1})
    figure.update_xaxes(title="difference, points", rangemode="tozero")
    figure.update_yaxes(automargin=True, range=[-0.6, len(known) - 0.4])
    return dressed(figure, 90 + 60 * len(known))


def bars_figure(names: Sequence[str], values: Sequence[float], title: str) -> go.Figure:
    """A bar for each name, the first on top."""
    figure = go.Figure(go.Bar(
        x=list(values), y=list(names), orientation="h", marker={"color": COLOURS[0]},
        hoverinfo="x",
    ))  # fmt: skip
    figure.update_xaxes(title=title)
    figure.update_yaxes(automargin=True, autorange="reversed")
    return dressed(figure, 100 + 40 * len(names))


def log_axis(low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis between two numbers, with ticks that people read: 2k, 5k, 10k."""
    marks = [n * 10**power for power in range(-3, 13) for n in (1, 2, 5)]
    within = [mark for mark in marks if low <= mark <= high]
    axis = {"type": "log", "range": [log10(low), log10(high)]}
    if len(within) < 2:
        return axis  # plotly's own ticks
    return axis | {"tickvals": within, "ticktext": list(map(short, within))}


def short(number: float) -> str:
    """A number as people write it on an axis: 200, 5k, 2M."""
    for letter, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"


def dressed(figure: go.Figure, height: int = 480) -> go.Figure:
    """The project's plain look."""
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 50, "r": 10, "t": 10, "b": 50},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top"},
        font={"family": "system-ui, sans-serif", "size": 13},
    )
    return figure
