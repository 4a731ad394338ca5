"""The race as a table and a figure: python studies/race/report.py COURSE [--root DATA_ROOT].

Times to a hypervolume are those at which the front so far reaches what the usual script ends with.
The figure is written to studies/race/COURSE.html.
"""

import argparse
import json
from pathlib import Path

import plotly.graph_objects as go
from plotly.colors import qualitative
from race import COURSES, OURS, RESULTS, USUAL

from nas_kd.data import SOURCES
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare
from nas_kd.driver.teacher_stage import judged
from nas_kd.front import Point, hypervolume

HERE = Path(__file__).parent


def over_time(facts: dict, budget: float, chance: float, examples: int) -> list[tuple]:
    """(seconds, hypervolume) after each student."""
    points, steps = [], []
    for number, (seconds, accuracy, cost) in enumerate(sorted(facts["points"])):
        points.append(Point(number, accuracy, cost))
        steps.append((seconds, hypervolume(points, budget, chance, examples)))
    return steps


def spread(values: list[float], digits: int = 1) -> str:
    """The middle of some values and their range."""
    ranked = sorted(values)
    middle = ranked[len(ranked) // 2]
    if len(ranked) == 1:
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} ({ranked[0]:.{digits}f} to {ranked[-1]:.{digits}f})"


def main() -> None:
    """Print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("course", choices=COURSES)
    parser.add_argument("--root", default="data")
    given = parser.parse_args()
    course = COURSES[given.course]
    data = prepare(course.data, SOURCES[course.data], Request(Path(given.root)))
    chance, examples = judged("accuracy", data)
    figure = go.Figure()
    ends: dict[str, list[tuple]] = {}
    print("| | wall, s | CPU, s | peak memory, MB | student-epochs | wasted draws | best, % | "
          "hypervolume |\n|---|---|---|---|---|---|---|---|")  # fmt: skip
    for name, colour in zip((*USUAL, *OURS), qualitative.D3, strict=False):
        runs = [
            json.loads(p.read_text()) for p in sorted(RESULTS.glob(f"{given.course}-{name}-?.json"))
        ]
        if not runs:
            continue
        curves = [over_time(run, course.budget, chance, examples) for run in runs]
        ends[name] = [(run["wall"], curve) for run, curve in zip(runs, curves, strict=True)]
        cells = [
            spread([run["wall"] for run in runs]),
            spread([run["cpu"] for run in runs]),
            spread([run["memory"] for run in runs], 0),
            spread([run["epochs"] for run in runs], 0),
            spread([run["wasted"] for run in runs], 0),
            spread([100 * max(point[1] for point in run["points"]) for run in runs], 2),
            spread([curve[-1][1] for curve in curves], 3),
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
        for number, curve in enumerate(curves):
            figure.add_scatter(
                x=[t for t, _ in curve], y=[v for _, v in curve], name=name, legendgroup=name,
                showlegend=number == 0, mode="lines",
                line={"shape": "hv", "color": colour},
            )  # fmt: skip
    ours = ends["nas-kd"]
    for name, runs in ends.items():
        ratios = [theirs[0] / mine[0] for theirs, mine in zip(runs, ours, strict=False)]
        print(f"{name}: {spread(ratios)} times the wall time of nas-kd")
    for theirs, mine in zip(ends.get("usual", []), ours, strict=False):
        goal = theirs[1][-1][1]
        first = next((t for t, v in mine[1] if v >= goal), None)
        when = next(t for t, v in theirs[1] if v >= goal)
        print(
            f"hypervolume {goal:.3f}, the usual script's last: it after {when:.0f} s, nas-kd "
            + (f"after {first:.0f} s, {when / first:.1f} times" if first else "never")
        )
    figure.update_xaxes(type="log", title="seconds from the command")
    figure.update_yaxes(title="hypervolume")
    figure.update_layout(template="plotly_white", title=given.course)
    figure.write_html(HERE / f"{given.course}.html")


main()
