"""Time and memory over the trials of a search of thousands, as a page.

    python studies/scale/draw.py [--place runs/scale]

writes scale.html to the place; scale.png is a picture of it, 1,100 pixels wide.
"""

import argparse
import json
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

HERE = Path(__file__).resolve().parent

SHARES = {"sampler": "the sampler", "write": "propose and write, without it", "tell": "tell"}
"""What a trial's milliseconds are drawn as, one upon the other."""

COLORS = ("#2563eb", "#93c5fd", "#f59e0b")

TOGETHER = 4
"""Points of 100 trials that are averaged: 25 generations, where one alone has 6 or 7."""


def smoothed(series: list[dict[str, float]]) -> list[dict[str, float]]:
    """The means of so many points, at the last one's trials, and what is left of a proposal
    without the sampler."""
    groups = [series[i : i + TOGETHER] for i in range(0, len(series), TOGETHER)]
    means = [{k: sum(p[k] for p in group) / len(group) for k in group[-1]} for group in groups]
    return [
        mean | {"trials": group[-1]["trials"], "write": mean["propose"] - mean["sampler"]}
        for mean, group in zip(means, groups, strict=True)
    ]


def figure(series: list[dict[str, float]]) -> go.Figure:
    """Milliseconds of a trial by what they are for, and the process's memory."""
    drawn = make_subplots(
        rows=1, cols=2, column_widths=[0.65, 0.35], horizontal_spacing=0.09,
        subplot_titles=("milliseconds of a trial", "memory of the search, MB"),
    )  # fmt: skip
    means = smoothed(series)
    trials = [point["trials"] for point in means]
    for (name, title), color in zip(SHARES.items(), COLORS, strict=True):
        drawn.add_scatter(
            x=trials, y=[point[name] for point in means], name=title, mode="lines",
            stackgroup="one", line={"color": color, "width": 1}, row=1, col=1,
        )  # fmt: skip
    drawn.add_scatter(x=trials, y=[point["memory"] for point in means], mode="lines",
                      line={"color": "#111827"}, showlegend=False, row=1, col=2)  # fmt: skip
    drawn.update_xaxes(title="trials", tickformat=",")
    drawn.update_yaxes(rangemode="tozero")
    return drawn.update_layout(
        width=1100, height=400, template="plotly_white", legend={"x": 0.02, "y": 0.98},
        margin={"l": 50, "r": 20, "t": 40, "b": 50},
    )  # fmt: skip


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--place", default="runs/scale")
    place = Path(parser.parse_args().place)
    place.mkdir(parents=True, exist_ok=True)
    found = json.loads((HERE / "result-sqlite.json").read_text())
    figure(found["series"]).write_html(place / "scale.html", config={"displayModeBar": False})


if __name__ == "__main__":
    main()
