"""A teacher's answers to four digits at six temperatures, and errors over temperatures, as pages.

    python studies/hinton-mnist/draw.py [--place runs/hinton-mnist] [--data-root data]

writes softened.html and temperatures.html to the place; docs/softened.png and temperatures.png are
pictures of them, 1,100 pixels wide.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from nas_kd.data import source_of
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare
from nas_kd.report.softened import TEMPERATURES, of_example, softmax

SURENESS = (0.002, 0.01, 0.04, 0.5)
"""Which digits: from one of which the teacher is unsure to a usual one."""

PLAIN = {"displayModeBar": False}

UNITS = ("30", "800")


def softened(place: Path, root: Path) -> go.Figure:
    """Each digit, and what the teacher says of it at each temperature."""
    data = prepare("mnist", source_of("mnist"), Request(root.resolve(), 0))
    logits_NC = np.load(place / "teacher-choice-signals.npy")[0].astype(np.float64)
    order_N = softmax(logits_NC).max(-1).argsort(kind="stable")
    rows = [int(order_N[round(share * len(order_N))]) for share in SURENESS]
    names = tuple(str(number) for number in range(10))
    figure = make_subplots(
        rows=len(rows), cols=1 + len(TEMPERATURES), vertical_spacing=0.05, horizontal_spacing=0.02,
        column_titles=["", *(f"T = {temperature:g}" for temperature in TEMPERATURES)],
    )  # fmt: skip
    for line, row in enumerate(rows, 1):
        place_of = data.train[0] + row
        example = np.array(data.examples.open()[place_of])
        one = of_example(names, logits_NC[row], int(data.labels.open()[place_of]), example)
        figure.add_trace(go.Image(z=one.picture_HW3), row=line, col=1)
        for column, temperature in enumerate(TEMPERATURES, 2):
            figure.add_bar(x=list(names), y=one.shares(temperature), marker_color="#2563eb",
                           row=line, col=column)  # fmt: skip
            figure.update_yaxes(range=[0, 1], showticklabels=column == 2, row=line, col=column)
            figure.update_xaxes(type="category", tickfont={"size": 8}, row=line, col=column)
        figure.update_xaxes(visible=False, row=line, col=1)
        figure.update_yaxes(visible=False, row=line, col=1)
    return figure.update_layout(
        width=1100, height=150 * len(rows), template="plotly_white", showlegend=False,
        margin={"l": 10, "r": 10, "t": 30, "b": 20},
    )  # fmt: skip


def over_temperatures(units: dict[str, dict[str, object]]) -> go.Figure:
    """Errors on validation over T, the mean of the seeds and each seed."""
    figure = go.Figure()
    for hidden, colour in zip(UNITS, ("#ea580c", "#2563eb"), strict=True):
        found = errors_of(units, hidden)
        temperatures = sorted(found)
        for values in zip(*(found[t] for t in temperatures), strict=True):
            figure.add_scatter(x=temperatures, y=values, mode="markers", opacity=0.4,
                               marker_color=colour, showlegend=False)  # fmt: skip
        figure.add_scatter(
            x=temperatures, y=[float(np.mean(found[t])) for t in temperatures], mode="lines",
            line_color=colour, name=f"{hidden} units a layer",
        )  # fmt: skip
    figure.update_xaxes(type="log", title="T", tickvals=sorted(found))
    figure.update_yaxes(type="log", title="errors on validation")
    return figure.update_layout(width=1100, height=450, template="plotly_white")


def errors_of(units: dict[str, dict[str, object]], hidden: str) -> dict[float, list[int]]:
    """The errors of each seed, by temperature."""
    found: dict[float, list[int]] = {}
    for name, unit in units.items():
        match name.split("-"):
            case ["temperatures", "30", _] if hidden == "30":
                for temperature, errors in dict(unit["validation"]).items():  # type: ignore[call-overload]
                    found.setdefault(float(temperature), []).append(errors)
            case ["temperature", "800", temperature, _] if hidden == "800":
                found.setdefault(float(temperature), []).append(int(str(unit["validation"])))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--place", type=Path, default=Path("runs/hinton-mnist"))
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    given = parser.parse_args()
    softened(given.place, given.data_root).write_html(given.place / "softened.html", config=PLAIN)
    result = Path(__file__).parent / "result.json"
    if result.exists():
        units = json.loads(result.read_text())["units"]
        over_temperatures(units).write_html(given.place / "temperatures.html", config=PLAIN)
