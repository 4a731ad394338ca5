"""Which family wins at which budget: one study a family, budget and seed, then a table.

    python studies/families/families.py --root DATA --trials 12 --epochs 15 --seeds 3

DATA is a folder that has cifar10-subset/train and cifar10-subset/test, a folder of pictures a class
each. One teacher is trained first and given to all. Finished studies are kept under --out and not
run again, seed by seed; `--budgets` and `--families` choose.
"""

import argparse
import os
import subprocess
import sys
from collections import defaultdict
from itertools import product
from pathlib import Path
from statistics import mean, stdev

import plotly.graph_objects as go

from nas_kd.front import hypervolume
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import read_study

BUDGETS = ("20k", "100k", "1M macs", "5M macs")
FAMILIES = ("cnn", "mlp", "mobilenet", "resnet")


def nas_kd(given: argparse.Namespace, folder: Path, *flags: str) -> None:
    """Run a search on the pictures, or go on with it."""
    data = f"imagefolder:{given.root / 'cifar10-subset'}"
    command = [str(Path(sys.executable).with_name("nas-kd")), "search", "--data", data,
               "--study", str(folder), "--quiet", *flags]  # fmt: skip
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    with (given.out / "log").open("a") as log:
        subprocess.run(
            command, check=True, stdout=log, stderr=log, env=os.environ | {"PYTHONPATH": path}
        )


def teacher(given: argparse.Namespace) -> Path:
    """The weights of the teacher of all studies."""
    folder = given.out / "teacher"
    nas_kd(given, folder, "--budget", "2k", "--family", "cnn", "--trials", "1", "--epochs", "1",
           "--fix", "teacher_epochs=25")  # fmt: skip
    return folder / "teacher" / "weights.safetensors"


def search(given: argparse.Namespace, weights: Path, family: str, budget: str, seed: int) -> Path:
    """The folder of a finished study."""
    folder: Path = given.out / f"{family}-{budget.replace(' ', '-')}-{seed}"
    nas_kd(
        given, folder, "--budget", budget, "--family", family, "--trials", str(given.trials),
        "--epochs", str(given.epochs), "--seed", str(seed), "--teacher", "teacher:given",
        "--teacher-weights", str(weights),
    )  # fmt: skip
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
    weights = teacher(given)
    found = defaultdict(list)
    for seed, budget, family in product(range(given.seeds), given.budgets, given.families):
        best, volume = measured(search(given, weights, family, budget, seed))
        found[family, budget].append((best, volume))
        print(f"{family} {budget} {seed}: {best:.2f} ({volume:.3f})", file=sys.stderr, flush=True)
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
        bests = [[best for best, _ in found[family, budget]] for budget in given.budgets]
        up = [max(values) - mean(values) for values in bests]
        down = [mean(values) - min(values) for values in bests]
        figure.add_bar(
            x=list(given.budgets), y=[mean(values) for values in bests], name=family,
            error_y={"array": up, "arrayminus": down},
        )  # fmt: skip
    seeds = f"mean and range of {given.seeds} seeds"
    figure.update_yaxes(title=f"best validation accuracy, %; {seeds}", range=[20, 80])
    figure.update_layout(template="plotly_white", barmode="group")
    figure.write_html(Path(__file__).parent / "families.html")


if __name__ == "__main__":
    main()
