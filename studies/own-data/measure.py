"""Searches public data sets from the command line, as a user would.

    python measure.py SETS FOLDER whole            # twelve sets: search, export, ONNX, evaluate
    python measure.py SETS FOLDER epochs|teacher   # six sets, another default, seeds 0 to 2

A line of JSON each is printed; nothing is chosen by what is seen of the test split.
"""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score

from nas_kd.data.transfer import TransferSet
from nas_kd.intervals import gain, interval
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import read_study

sets, folder, what = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), sys.argv[3]
chosen = sys.argv[4].split(",") if len(sys.argv) > 4 else None

SETS: dict[str, tuple[str, list[str]]] = {
    "ArrowHead": ("5k", ["--data", f"npz:{sets}/ArrowHead.npz"]),
    "BasicMotions": ("5k", ["--data", f"npz:{sets}/BasicMotions.npz"]),
    "GunPoint": ("5k", ["--data", f"npz:{sets}/GunPoint.npz"]),
    "ItalyPowerDemand": ("5k", ["--data", f"npz:{sets}/ItalyPowerDemand.npz"]),
    "OSULeaf": ("20k", ["--data", f"npz:{sets}/OSULeaf.npz"]),
    "JapaneseVowels": (
        "10k", ["--data", f"npz:{sets}/JapaneseVowels.npz", "--fix", "layout=signals"],
    ),
    "penguins": ("1k", ["--data", f"csv:{sets}/penguins.csv", "--label", "species"]),
    "birdstrikes": (
        "2k", ["--data", f"csv:{sets}/birdstrikes.csv", "--label", "Effect Amount of damage",
               "--fix", "drop_classes=B", "--metric", "balanced-accuracy",
               "--fix", "class_weights=balanced"],
    ),
    "seattle-weather": ("2k", ["--data", f"csv:{sets}/seattle-weather.csv", "--label", "weather"]),
    "breast-cancer": ("1k", ["--data", f"csv:{sets}/breast-cancer.csv"]),
    "letter": ("5k", ["--data", f"csv:{sets}/letter.csv", "--label", "lettr"]),
    "fashion-mnist": (
        "20k", ["--data", "fashion-mnist", "--data-root", str(sets), "--trials", "12"],
    ),
}  # fmt: skip
"""The budget and the flags of each set."""

SIX: dict[str, tuple[str, list[str]]] = {
    **{name: SETS[name] for name in ("ArrowHead", "penguins", "OSULeaf", "ItalyPowerDemand")},
    "digits": ("20k", ["--data", "digits"]),
    "glyphs": ("20k", ["--data", "glyphs"]),
}
"""From 127 to 8,000 training examples; of more, the default is 10 epochs as it was."""


def command(*arguments: str) -> tuple[str, float]:
    """What a command prints, and the seconds it takes."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from nas_kd.cli import main; main()", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1 if arguments[0] == "check" else 0):
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-600:]}")
    return done.stdout, time.perf_counter() - began


def searched(name: str, sized: tuple[str, list[str]], *more: str) -> dict[str, Any]:
    """A search in a new folder, its best student exported and scored on the test split."""
    budget, flags = sized
    place = folder / "study"
    shutil.rmtree(place, ignore_errors=True)
    _, seconds = command("search", "--budget", budget, *flags, *more, "--study", str(place))
    place_of = flags.index("--data-root") if "--data-root" in flags else len(flags)
    root = flags[place_of : place_of + 2]
    view = read_study(StudyFolder(place))
    best = view.pick("best")
    command("export", str(place), "--onnx")
    text, _ = command("evaluate", str(place / "best"), *root)
    test = re.match(r"([\d.]+) \(.*% of ([\d,]+) examples", text)
    balanced = re.search(r"balanced-accuracy ([\d.]+)%", text)
    assert test, text
    teacher = view.teachers[0]
    return {
        "set": name,
        "budget": budget,
        "epochs": view.epochs,
        "train": train_rows(view.folder.read_data()),
        "validation": round(100 * (best.accuracy or 0), 2),
        "of": view.examples,
        "test": float(test[1]),
        "balanced": float(balanced[1]) if balanced else None,
        "test_of": int(test[2].replace(",", "")),
        "student": f"{best.config.name()}, {best.costs['parameters']}",
        "teacher": round(100 * teacher["accuracy"], 2),
        "teacher_parameters": teacher["parameters"],
        "teacher_seconds": round(teacher["seconds"], 1),
        "seconds": round(seconds, 1),
    }


def train_rows(data: TransferSet) -> int:
    """How many labelled training examples there are."""
    return data.labelled[1] - data.labelled[0]


def forest(weights: str | None) -> tuple[float, float]:
    """The test accuracy of a random forest that learned the same training examples, and the mean
    over the classes."""
    data = StudyFolder(folder / "study").read_data()
    x = data.examples.open().reshape(len(data.labels.open()), -1)
    y = data.labels.open()
    train, test = (slice(*rows) for rows in (data.labelled, data.test))
    model = RandomForestClassifier(300, random_state=0, n_jobs=2, class_weight=weights)
    answers = model.fit(x[train], y[train]).predict(x[test])
    return float(np.mean(answers == y[test])), balanced_accuracy_score(y[test], answers)


def whole(name: str) -> None:
    """One set from end to end."""
    budget, flags = SETS[name]
    checked = [
        one for one in flags if one not in ("--trials", "12", "--metric", "balanced-accuracy")
    ]
    findings, _ = command("check", "--budget", budget, *checked)
    found = searched(name, SETS[name])
    other, mean = forest("balanced" if "class_weights=balanced" in flags else None)
    low, high = interval(found["test"] / 100, found["test_of"])
    sure = gain(found["test"] / 100, other, found["test_of"])
    difference = 100 * sure.mean, 100 * sure.low, 100 * sure.high
    found |= {
        "interval": [round(100 * low, 1), round(100 * high, 1)],
        "forest": round(100 * other, 2),
        "forest_balanced": round(100 * mean, 2),
        "difference": [round(one, 1) for one in difference],
        "findings": [line for line in findings.splitlines() if line.startswith(("wrong", "doubt"))],
    }
    print(json.dumps(found), flush=True)


folder.mkdir(parents=True, exist_ok=True)
if what == "whole":
    for name in chosen or SETS:
        whole(name)
else:
    other = {"epochs": ["--epochs", "10"], "teacher": ["--fix", "teacher_width=32"]}[what]
    for name in chosen or SIX:
        for seed in ("0", "1", "2"):
            drawn = ["--seed", seed, "--fix", f"split_seed={seed}"]
            for how, more in (("before", other), ("default", [])):
                found = searched(name, SIX[name], *more, *drawn)
                print(json.dumps({"what": what, "how": how, "seed": seed} | found), flush=True)
