"""Which family wins at which budget: one study a family, budget and seed, then a table.

    python studies/families/families.py --root DATA --trials 12 --epochs 15 --seeds 3

DATA is a folder that has cifar10-subset/train and cifar10-subset/test, a folder of pictures a class
each. Finished studies are kept under --out and not run again; `--budgets` and `--families` choose.
All have the same teacher's settings; its training is part of each study.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev

import plotly.graph_objects as go

from nas_kd.front import hypervolume
from nas_kd.study.folder import StudyFolder
from nas_kd.study.reading import read_study

BUDGETS = ("20k", "100k", "1M macs", "5M macs")
FAMILIES = ("cnn", "mlp", "mobilenet", "resnet")


def search(given: argparse.Namespace, family: str, budget: str, seed: int) -> Path:
    """The folder of a finished study."""
    folder = given.out / f"{family}-{budget.replace(' ', '-')}-{seed}"
    command = [
        str(Path(sys.executable).with_name("nas-kd")), "search", "--budget", budget,
        "--data", f"imagefolder:{given.root / 'cifar10-subset'}", "--family", family,
        "--trials", str(given.trials), "--epochs", str(given.epochs), "--seed", str(seed),
        "--study", str(folder), "--quiet",
    ]  # fmt: skip
    with (given.out / "log").open("a") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log)
    return folder


def measured(folder: Path) -> tuple[float, float]:
    """Best validation accuracy in points, and hypervolume."""
    view = read_study(StudyFolder(folder))
    bound = view.facts["budgets"][0][1]
    volume = hypervolume(view.points, bound, view.facts["chance"], view.examples)
    return 100 * (view.pick("best").accuracy or 0), volume


def in_words(values: list[float], digits: int) -> str:
    """The mean, and half of the 95% interval where there are several."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    factor = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}.get(len(values), 2.0)
    half = factor * stdev(values) / len(values) ** 0.5
    return f"{mean(values):.{digits}f} +- {half:.{digits}f}"


def main() -> None:
    """Search, print the table, write the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budgets", nargs="*", default=BUDGETS)
    parser.add_argument("--families", nargs="*", default=FAMILIES)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    found = {
        (family, budget): [
            measured(search(given, family, budget, seed)) for seed in range(given.seeds)
        ]
        for budget in given.budgets
        for family in given.families
    }
    print("| budget | " + " | ".join(given.families) + " |\n|---|" + "---|" * len(given.families))
    for budget in given.budgets:
        cells = [
            f"{in_words([best for best, _ in found[family, budget]], 1)} "
            f"({in_words([volume for _, volume in found[family, budget]], 3)})"
            for family in given.families
        ]
        print(f"| {budget} | " + " | ".join(cells) + " |")
    figure = go.Figure()
    for family in given.families:
        heights = [mean(best for best, _ in found[family, budget]) for budget in given.budgets]
        figure.add_bar(x=list(given.budgets), y=heights, name=family)
    figure.update_yaxes(title="best validation accuracy, %", range=[20, 80])
    figure.update_layout(template="plotly_white", barmode="group")
    figure.write_html(Path(__file__).parent / "families.html")


if __name__ == "__main__":
    main()
