"""One driver, four workers and a dashboard that is asked every second; a second driver; a kill.

    python studies/faults/together.py [--trials 200] [--storage URL] [--place runs/together]

Three studies of one spec: one that nobody disturbs; one with a dashboard and a second driver that
starts within a second of the first; one whose driver is killed half-way and followed at once.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measure import HERE, SPEC, outcome

from nas_kd.errors import NasKDError
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import read_study

SAME = SPEC | {"epochs": 2}


def started(place: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A command of nas-kd in a process of its own."""
    program = [sys.executable, "-c", "from nas_kd.cli import main; main()", *arguments]
    mine = os.environ | {"NAS_KD_CACHE": str(place / "cache")}
    return subprocess.Popen(
        program, env=mine, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def searching(place: Path, name: str, given: argparse.Namespace) -> "subprocess.Popen[str]":
    """A search with four workers."""
    settings = SAME | {"trials": given.trials}
    flags = ["--budget", settings.pop("budget"), "--data", settings.pop("data")]
    flags += [f for key, value in settings.items() for f in ("--fix", f"{key}={json.dumps(value)}")]
    if given.storage and name != "whole":
        flags += ["--storage", given.storage]
    return started(place, "search", *flags, "--workers", "4", "--study", str(place / name))


def told(folder: Path) -> int:
    """How many trials are told; 0 while there is no study yet."""
    try:
        return sum(row.finished for row in read_study(StudyFolder(folder)).rows)
    except NasKDError:
        return 0


@contextmanager
def polled(place: Path, folder: Path) -> Iterator[Counter[str]]:
    """Ask a dashboard for the whole study each second; what it answered, counted."""
    while not told(folder):
        time.sleep(1)
    serving = started(place, "dashboard", str(folder), "--port", "0")
    assert serving.stdout is not None
    line = serving.stdout.readline()
    address = line.split()[0]
    assert address.startswith("http"), line
    answers, done = Counter[str](), threading.Event()

    def ask() -> None:
        with urllib.request.urlopen(f"{address}/api/studies") as reply:
            (study,) = (
                one["study_id"] for one in json.load(reply)["study_summaries"]
                if one["study_name"] == read_study(StudyFolder(folder)).optuna.study_name
            )  # fmt: skip
        while not done.wait(1):
            try:
                url = f"{address}/api/studies/{study}?after=0"
                with urllib.request.urlopen(url, timeout=30) as reply:
                    json.load(reply)
                answers["whole"] += 1
            except OSError as error:
                answers[str(error)] += 1

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield answers
    finally:
        done.set()
        asking.join()
        serving.send_signal(signal.SIGINT)
        said = serving.communicate(timeout=60)[0]
        answers["locked"] += len(re.findall("locked", said))


def scored(folder: Path) -> Counter[str]:
    """How often the log says that a trial was scored."""
    lines = (folder / "search.log").read_text().splitlines()
    found = (re.search(r"^\S+ \d+ trial (\d+)", line) for line in lines)
    return Counter(match.group(1) for match in found if match)


def beside_each_other(place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """A second driver is refused, and the dashboard disturbs nobody."""
    first = searching(place, "shared", given)
    while not (place / "shared" / "driver.lock").exists():
        time.sleep(0.05)
    time.sleep(0.5)
    second = searching(place, "shared", given)
    refusal = second.communicate()[0].strip()
    with polled(place, place / "shared") as answers:
        said = first.communicate()[0]
    return {
        "second driver": [second.returncode, refusal.replace(str(place), "PLACE")],
        "first driver": first.returncode,
        "dashboard": dict(answers),
        "database is locked": len(re.findall("is locked", said)),
        "scored twice": sum(count > 1 for count in scored(place / "shared").values()),
    }


def followed(place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """A driver is killed half-way, and another one goes on at once."""
    first = searching(place, "killed", given)
    with polled(place, place / "killed") as answers:
        while (count := told(place / "killed")) < given.trials // 2:
            assert first.poll() is None, first.communicate()[0]
            time.sleep(0.5)
        first.kill()
        first.wait()
        second = searching(place, "killed", given)
        said = second.communicate()[0]
    return {
        "killed after": count,
        "second driver": second.returncode,
        "dashboard": dict(answers),
        "database is locked": len(re.findall("is locked", said)),
    }


def main() -> None:
    """Run all three, and keep what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--storage", help="a PostgreSQL server; else each study has a file")
    parser.add_argument("--place", default="runs/together")
    given = parser.parse_args()
    place = Path(given.place).resolve()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    whole = searching(place, "whole", given)
    said = whole.communicate()[0]
    assert whole.returncode == 0, said
    wanted = outcome(place / "whole")
    facts: dict[str, Any] = {"trials": given.trials, "workers": 4}
    for name, part in (("shared", beside_each_other), ("killed", followed)):
        facts[name] = part(place, given) | {"equal": outcome(place / name) == wanted}
        print(json.dumps({name: facts[name]}, indent=1), flush=True)
    if given.trials >= 200:
        kept = HERE / f"together-{'postgresql' if given.storage else 'sqlite'}.json"
        kept.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
