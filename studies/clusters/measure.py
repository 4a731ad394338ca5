"""A search by the workers of a Dask cluster on one machine: bytes that are sent, and its time.

    python studies/clusters/measure.py [bytes] [time] [--rounds 3] [--short]

bytes: a transfer set of 1 GB for three workers with a cache each. time: MNIST, which lies in
./data, by one worker and by two in turns, scheduler and driver on the same machine.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from local_cluster import cluster

HERE = Path(__file__).resolve().parent

WIDE: dict[str, Any] = {
    "budget": "2M", "trials": 6, "generation": 6, "epochs": 1, "rungs": [], "family": "mlp",
    "teacher_epochs": 1, "teacher_width": 1, "batch": 256,
}  # fmt: skip

MNIST: dict[str, Any] = {
    "budget": "20k", "data": "mnist", "trials": 16, "generation": 8, "epochs": 2, "rungs": [1],
    "teacher_epochs": 1, "teacher_width": 4, "family": "cnn",
}  # fmt: skip


def search(place: Path, settings: dict[str, Any], address: str) -> float:
    """Search in a process of its own; the seconds it took."""
    spec = dict(settings)
    flags = ["--budget", spec.pop("budget"), "--data", spec.pop("data")]
    flags += [f for name, value in spec.items() for f in ("--fix", f"{name}={json.dumps(value)}")]
    program = [sys.executable, "-c", "from nas_kd.cli import main; main()", "search", *flags,
               "--study", str(place), "--executor", address, "--quiet"]  # fmt: skip
    began = time.monotonic()
    mine = os.environ | {"NAS_KD_CACHE": str(place.parent / "cache")}
    subprocess.run(program, env=mine, check=True)
    return time.monotonic() - began


def sent(place: Path, megabytes: int) -> dict[str, Any]:
    """How often, and to whom, the files of a large transfer set were sent."""
    rows = 4_000
    columns = megabytes * 10**6 // (4 * rows)
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, columns)).astype(np.float32)
    y = random.integers(0, 3, rows)
    x[:, :20] += 2 * y[:, None]  # what tells of the classes
    driver = place / "driver"
    driver.mkdir()
    np.savez(driver / "wide.npz", X=x, y=y)
    with cluster(place / "cluster", 3, hidden=driver) as address:
        seconds = search(driver / "study", WIDE | {"data": f"npz:{driver / 'wide.npz'}"}, address)
    log = (driver / "study" / "search.log").read_text()
    lines = re.findall(r"cluster   (\S+), ([\d,.]+) MB, was sent to (\S+)", log)
    each = Counter((name, worker) for name, _, worker in lines)
    number = {worker: n for n, worker in enumerate(dict.fromkeys(w for *_, w in lines), 1)}
    kept = [
        sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
        for cache in sorted((place / "cluster").glob("cache-[1-9]"))
    ]
    return {
        "sent": [f"{name}, {size} MB, to worker {number[worker]}" for name, size, worker in lines],
        "a file sent twice to a worker": sum(count > 1 for count in each.values()),
        "bytes in each worker's cache": kept,
        "seconds": round(seconds, 1),
    }


def phases(study: Path) -> dict[str, int]:
    """The seconds of each generation and of what follows the last one, by the log's times."""
    lines = [line.split() for line in (study / "search.log").read_text().splitlines()]
    times = {kind: [datetime.fromisoformat(line[0]) for line in lines if line[2] == kind]
             for kind in ("time", "trial", "control")}  # fmt: skip
    first, middle = times["time"]
    last, twin = times["trial"][-1], times["control"][-1]
    return {
        "first generation": (middle - first).seconds,
        "second generation": (last - middle).seconds,
        "twin": (twin - last).seconds,
    }


def timed(place: Path, rounds: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Seconds of the same search by one worker and by two, in turns, once all is in the caches."""
    found: dict[str, list[float]] = {"1": [], "2": []}
    spent: dict[str, list[dict[str, int]]] = {"1": [], "2": []}
    for turn in range(rounds + 1):
        for workers in (1, 2):
            with cluster(place / f"cluster-{workers}", workers) as address:
                study = place / f"study-{workers}-{turn}"
                seconds = search(study, settings, address)
            if turn:  # the first fills the caches
                found[str(workers)].append(round(seconds, 1))
                spent[str(workers)].append(phases(study))
            print(json.dumps({"workers": workers, "turn": turn, "seconds": seconds}), flush=True)
    ratios = [one / two for one, two in zip(found["1"], found["2"], strict=True)]
    return found | {"times faster": [round(ratio, 2) for ratio in ratios], "spent": spent}


def main() -> None:
    """Measure, and keep what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("which", nargs="*", default=["bytes", "time"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--place", default="runs/clusters")
    parser.add_argument("--short", action="store_true", help="20 MB and digits, tells nothing")
    given = parser.parse_args()
    path = HERE / "result.json"
    facts = json.loads(path.read_text()) if path.exists() else {}
    for part in given.which:
        place = Path(given.place).resolve() / part
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        if part == "bytes":
            facts[part] = sent(place, 20 if given.short else 1_000)
        else:
            facts[part] = timed(place, 1 if given.short else given.rounds,
                                MNIST | ({"data": "digits"} if given.short else {}))  # fmt: skip
        print(json.dumps({part: facts[part]}, indent=1), flush=True)
    if not given.short:
        facts["cores"] = os.cpu_count()
        path.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
