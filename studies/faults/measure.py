"""Searches that are killed at random moments, resumed, and compared with one that nobody disturbed.

    python studies/faults/measure.py [--rounds 100] [--seed 0] [--storage URL] [--dask] [--short]

Each round draws a phase, a moment in it and a victim from its own seed, which is printed; a round
is done again with --only ROUND.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from local_cluster import cluster

from nas_kd.files import hashed
from nas_kd.package.load import load_student
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import read_study

HERE = Path(__file__).resolve().parent

SPEC: dict[str, Any] = {
    "budget": "2k", "data": "digits", "trials": 20, "generation": 10, "epochs": 3, "rungs": [1],
    "teacher_epochs": 3, "teacher_width": 8, "depth": [1, 3], "batch": 64,
}  # fmt: skip
"""A study of some ten seconds, with rungs and students that are stopped."""

SHORT: dict[str, Any] = {"trials": 8, "generation": 4, "epochs": 2}

MOST = {"teacher": 150, "signals": 30, "propose": 20, "rung": 30, "tell": 20, "export": 4}
"""The last moment that is drawn in each phase: hundredths of a second, or calls."""


@dataclass(frozen=True, slots=True)
class Round:
    """What happened in one round."""

    number: int
    phase: str
    moment: int
    victim: str
    struck: bool
    """Whether the kill came before the phase was over."""
    left: int
    """Processes that were there two seconds later."""
    equal: bool
    """Whether the resumed study has the trials, values and weights of the undisturbed one."""
    seconds: float


def drawn(seed: int, number: int, short: bool) -> tuple[str, int, str]:
    """The phase, the moment and the victim of a round; phases take turns."""
    draw = random.Random(f"{seed} {number}")
    phase = tuple(MOST)[number % len(MOST)]
    most = MOST[phase] // 3 if short and phase not in ("teacher", "export") else MOST[phase]
    victims = ("driver",) if phase == "export" else ("driver", "workers", "both")
    return phase, draw.randrange(1, most + 1), draw.choice(victims)


def run(folder: Path, settings: dict[str, Any], *fault: str) -> int:
    """Search in a process of its own; its exit code."""
    command = [sys.executable, str(HERE / "victim.py"), str(folder), json.dumps(settings), *fault]
    root = str(HERE.parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    cache = str(folder.parent / "cache")
    mine = {"NAS_KD_FAULTS": str(folder), "NAS_KD_CACHE": cache, "PYTHONPATH": path}
    with (folder.parent / "log").open("ab") as log:
        return subprocess.run(command, env=os.environ | mine, stderr=log, check=False).returncode


def alive(folder: Path) -> int:
    """How many processes of a study there are: they carry its folder in their environment."""
    found = 0
    for process in Path("/proc").iterdir():
        try:
            mine = f"NAS_KD_FAULTS={folder}".encode() in (process / "environ").read_bytes()
            found += mine and "\nState:\tZ" not in (process / "status").read_text()
        except (OSError, ValueError):
            continue
    return found


def outcome(folder: Path) -> list[Any]:
    """All of a study that must be equal: trials, values, and the hash of each student's weights."""
    view = read_study(StudyFolder(folder))
    rows = []
    for trial in view.optuna.get_trials(deepcopy=False):
        facts = {key: value for key, value in trial.user_attrs.items() if key != "seconds"}
        weights = view.folder.student(trial.number) / "weights.safetensors"
        kept = hashed(weights) if weights.exists() else None
        rows.append([trial.number, trial.state.name, trial.params, trial.values, facts, kept])
    return [rows, view.facts.get("twin")]


def rounds(given: argparse.Namespace, settings: dict[str, Any]) -> Iterator[Round]:
    """Each round: disturbed, looked at, resumed, compared."""
    place = Path(given.place)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    whole = place / "whole"
    alone = {**settings, "storage": None, "cluster": None}
    assert run(whole, alone) == 0, (place / "log").read_text()
    wanted = outcome(whole)
    for number in given.only or range(given.rounds):
        phase, moment, victim = drawn(given.seed, number, given.short)
        folder, began = place / f"round-{number}", time.monotonic()
        if phase == "export":
            shutil.copytree(whole, folder)
        shutil.rmtree(place / "cache" / "teachers", ignore_errors=True)  # each round trains its own
        shutil.rmtree(place / "cache" / "signals", ignore_errors=True)
        run(folder, settings, phase, str(moment), victim)
        struck = Path(f"{folder}.struck").exists()
        time.sleep(2)
        left = alive(folder)
        if phase == "export":
            equal = exported(folder, settings)
        else:
            equal = run(folder, settings) == 0 and outcome(folder) == wanted
        seconds = round(time.monotonic() - began, 1)
        yield Round(number, phase, moment, victim, struck, left, equal, seconds)
        shutil.rmtree(folder)


def exported(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether an export that was killed left a whole package or none, and the next is whole."""
    if not (folder / "best").exists() and run(folder, settings, "export"):
        return False
    load_student(folder / "best")
    return True


def main() -> int:
    """Run the rounds, print each, and keep the table; 1 if any differs or leaves a process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="these rounds alone")
    parser.add_argument("--storage", help="a PostgreSQL server; else each study has a file")
    parser.add_argument("--dask", action="store_true", help="with the workers of a Dask cluster")
    parser.add_argument("--place", default="runs/faults")
    parser.add_argument("--short", action="store_true", help="three rounds of a smaller study")
    given = parser.parse_args()
    settings = SPEC | (SHORT if given.short else {})
    if given.short:
        given.only = given.only or [0, 3, 5]  # a teacher, a rung, an export
    if given.storage:
        settings["storage"] = given.storage
    found = []
    theirs = cluster(Path(f"{given.place}-cluster").resolve(), 2) if given.dask else nullcontext()
    with theirs as address:
        for one in rounds(given, settings | {"cluster": address}):
            found.append(one)
            print(json.dumps(asdict(one)), flush=True)
    bad = [one.number for one in found if one.left or not one.equal]
    facts = {
        "seed": given.seed,
        "storage": "postgresql" if given.storage else "sqlite",
        "workers": "dask" if given.dask else "processes",
        "rounds": len(found),
        "by phase": dict(Counter(one.phase for one in found)),
        "struck": dict(Counter(one.phase for one in found if one.struck)),
        "not equal, or a process left": bad,
    }
    print(json.dumps(facts, indent=1))
    if not given.short and not given.only:
        kept = HERE / f"result-{facts['storage']}-{facts['workers']}.json"
        kept.write_text(
            json.dumps(facts | {"each": [asdict(one) for one in found]}, indent=1) + "\n"
        )
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
