"""What fits a budget, as a picture."""

from pathlib import Path

import plotly.graph_objects as go

from nas_kd.files import write_text
from nas_kd.report.figures import COLOURS, dressed, log_axis
from nas_kd.report.fitting import fits_of
from nas_kd.space.space import Space
from nas_kd.students.decode import counts

DOTS = 12
"""Widths of the students that the picture has for each family and depth."""


def fitting_figure(space: Space) -> go.Figure:
    """Students that fit, from narrow to wide: MACs against parameters, budgets as lines."""
    low = space.ends("width")[0]
    widths = tuple(low ** (1 - step / (DOTS - 1)) for step in range(DOTS))
    figure, every = go.Figure(), []
    for family, colour in zip(space.families, COLOURS * 9, strict=False):
        fits = [fit for fit in fits_of(space, widths) if fit.largest.family == family]
        students = [student for fit in fits for student in fit.students]
        every += [counts(student) for student in students]
        figure.add_scatter(
            x=[counts(student).parameters for student in students],
            y=[counts(student).macs for student in students],
            mode="markers", name=family,
            marker={"color": colour, "size": 7, "opacity": 0.7},
            hovertext=[f"{s.name()}, {s.depth} blocks" for s in students],
            hoverinfo="text+x+y",
        )  # fmt: skip
    for budget in space.budgets:
        across = {"parameters": "macs", "macs": "parameters"}.get(budget.cost)
        if across is None:
            continue  # neither axis
        ends = [end(getattr(size, across) for size in every) for end in (min, max)]
        both = [budget.bound, budget.bound]
        x, y = (both, ends) if budget.cost == "parameters" else (ends, both)
        line = {"dash": "dash", "width": 1.5, "color": "#6b7280"}
        figure.add_scatter(x=x, y=y, mode="lines", name=str(budget), line=line)
    for axis, title, cost in (
        (figure.update_xaxes, "parameters (log)", "parameters"),
        (figure.update_yaxes, "MACs of one example (log)", "macs"),
    ):
        values = [float(getattr(size, cost)) for size in every]
        values += [budget.bound for budget in space.budgets if budget.cost == cost]
        axis(title=title, **log_axis(min(values) / 1.2, max(values) * 1.2))
    return dressed(figure)


def picture(space: Space, path: Path) -> None:
    """Write the figure as one HTML page that needs no network."""
    write_text(path, fitting_figure(space).to_html(include_plotlyjs=True))
