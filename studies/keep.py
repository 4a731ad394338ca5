"""Keep what a study found: its spec, the search's table and verdict, and its confirm.

    python studies/keep.py STUDY TO

Writes spec.toml, search.json and, where the study is confirmed, confirm.json.
"""

import json
import os
import platform
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import torch

from nas_kd.report.cards import search_controls
from nas_kd.report.summary import summarize
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import read_study


def searched(study: Path) -> dict[str, object]:
    """What the search found."""
    view = read_study(StudyFolder(study))
    summary = summarize(view)
    return {
        "trials": len(view.rows),
        "epochs": view.epochs,
        "seed": view.spec.seed,
        "sentences": summary.sentences,
        "best": summary.settings,
        "controls": json.loads(search_controls(view).frame.to_json(orient="records")),
        "front": [
            {"trial": row.number, "student": row.config.name(), "cost": row.costs[view.cost],
             "accuracy": row.accuracy}
            for row in view.front
        ],
        "seconds": round(sum(row.seconds or 0 for row in view.rows), 1),
        "versions": {name: version(name) for name in ("nas-kd", "torch", "optuna")}
        | {"python": platform.python_version()},
        "processor": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
    }  # fmt: skip


def main(study: str, to: str) -> None:
    """Write the files."""
    place = Path(to)
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(study) / "spec.toml", place / "spec.toml")
    (place / "search.json").write_text(json.dumps(searched(Path(study)), indent=1) + "\n")
    if (Path(study) / "confirm.json").exists():
        shutil.copy(Path(study) / "confirm.json", place / "confirm.json")


if __name__ == "__main__":
    main(*sys.argv[1:])
