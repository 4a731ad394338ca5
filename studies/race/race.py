"""The race: the same data, splits, teacher, number of students, epochs and budget for all.

    python studies/race/race.py digits --seeds 3
    python studies/race/race.py mnist --root DATA_ROOT

Each contestant is one process; its wall time, CPU time of all its processes, and their peak memory
(sum of proportional shares) are measured from outside. Finished parts are kept under
studies/race/results and not run again; the order is by seed, so contestants take turns.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nas_kd.data import SOURCES
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare

HERE = Path(__file__).parent
RESULTS = HERE / "results"
CACHE = RESULTS / "cache"
"""Where the prepared data lie, as on a machine on which a search has run before."""
PYTHON = os.environ.get("RACE_PYTHON", sys.executable)
"""Of the scripts: Ray may live in an environment of its own."""


@dataclass(frozen=True)
class Course:
    """What is raced on."""

    data: str
    students: int
    epochs: int
    shape: str
    families: tuple[str, ...] = ("cnn", "mlp")
    budget: int = 20_000
    teacher_epochs: int = 3
    given: bool = True
    teacher_width: int = 17
    """Of the teacher that nas-kd trains where none is given: 100,823 parameters on glyphs, where
    that of the scripts has 96,990."""


COURSES = {
    "digits": Course("digits", 24, 20, "1,8,8", budget=3_000, teacher_epochs=30),
    "glyphs": Course("glyphs", 24, 10, "1,28,28", given=False, teacher_epochs=6),
    "mnist": Course("mnist", 12, 3, "1,28,28", teacher_epochs=2),
    "mnist-mlp": Course("mnist", 8, 3, "1,28,28", families=("mlp",), teacher_epochs=2),
}
USUAL = {"usual": ("usual.py", "0"), "cached": ("usual.py", "1"), "ray": ("ray_tune.py", "1")}
OURS = {"nas-kd-1": "1", "nas-kd": "2"}


LOOK = 1.0
"""Seconds between two looks at the memory: at 0.2 they took a quarter of a core."""


class Watch:
    """CPU seconds and peak memory of every process that carries a mark in its environment."""

    def __init__(self, mark: str) -> None:
        self.mark = f"RACE_MARK={mark}".encode()
        self.cpu: dict[str, float] = {}
        self.peak = 0.0

    def look(self) -> None:
        """Take a sample."""
        total = 0.0
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                if self.mark not in (process / "environ").read_bytes():
                    continue
                fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
                ticks = int(fields[11]) + int(fields[12])
                self.cpu[process.name] = ticks / os.sysconf("SC_CLK_TCK")
                rollup = (process / "smaps_rollup").read_text().splitlines()
                total += sum(int(x.split()[1]) for x in rollup if x.startswith("Pss:")) / 1024
            except (OSError, IndexError, ValueError):
                continue
        self.peak = max(self.peak, total)


def watched(command: list[str], environment: dict[str, str], log: Path) -> dict[str, float]:
    """Run a command; its wall and CPU seconds, and peak memory in MiB."""
    watch = Watch(mark := f"{time.time()}")
    began = time.time()
    with log.open("w") as file:
        process = subprocess.Popen(
            command, env=os.environ | environment | {"RACE_MARK": mark}, stdout=file, stderr=file
        )
        while process.returncode is None:
            watch.look()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=LOOK)
    if process.returncode:
        raise SystemExit(f"{command} failed, see {log}")
    return {"began": began, "wall": time.time() - began, "cpu": sum(watch.cpu.values()),
            "memory": watch.peak}  # fmt: skip


def teacher_weights(course: Course, root: str) -> Path:
    """The weights that all contestants are given; trained once, outside the race."""
    place = RESULTS / f"teacher-{course.data}.pt"
    if not place.exists():
        subprocess.run([sys.executable, HERE / "train_teacher.py", course.data, root,
                        str(course.teacher_epochs), place], check=True)  # fmt: skip
    return place


def usual(course: Course, root: str, seed: int, how: tuple[str, str], out: Path) -> dict:
    """A script of somebody else's tools; Ray's own clock starts when Ray has started."""
    script, cached = how
    teacher = str(teacher_weights(course, root) if course.given else course.teacher_epochs)
    points = out.with_suffix(".points")
    command = [
        PYTHON, str(HERE / script), course.data, root, str(course.budget),
        str(course.students), str(course.epochs), str(seed), teacher, ",".join(course.families),
        cached, str(points),
    ]  # fmt: skip
    facts = watched(command, {}, out.with_suffix(".log"))
    return facts | json.loads(points.read_text())


def ours(course: Course, root: str, seed: int, workers: str, out: Path) -> dict:
    """nas-kd's own command, read afterwards."""
    folder = Path(tempfile.mkdtemp()) / "study"
    command = [
        str(Path(sys.executable).with_name("nas-kd")), "search", "--budget", str(course.budget),
        "--data", course.data, "--data-root", root, "--trials", str(course.students),
        "--epochs", str(course.epochs), "--seed", str(seed), "--workers", workers,
        "--study", str(folder),
    ]  # fmt: skip
    for family in course.families:
        command += ["--family", family]
    paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    environment = {"PYTHONPATH": paths, "RACE_SHAPE": course.shape}
    if course.given:
        weights = str(teacher_weights(course, root))
        command += ["--teacher", "teacher:given", "--teacher-weights", weights]
    else:
        command += ["--fix", f"teacher_epochs={course.teacher_epochs}",
                    "--fix", f"teacher_width={course.teacher_width}"]  # fmt: skip
    for kind in ("teachers", "signals"):  # of an earlier race
        shutil.rmtree(CACHE / kind, ignore_errors=True)
    facts = watched(command, environment, out.with_suffix(".log"))
    result = facts | read(folder, facts["began"])
    shutil.rmtree(folder.parent)
    return result


def read(folder: Path, began: float) -> dict:
    """When each student was known, from the log; what it reached, from the study."""
    from nas_kd.study.folder import StudyFolder
    from nas_kd.study.view import read_study

    when = {}
    for line in (folder / "search.log").read_text().splitlines():
        words = line.split()
        if words[2] == "trial":
            when[int(words[3])] = datetime.fromisoformat(words[0]).timestamp() - began
    view = read_study(StudyFolder(folder))
    rows = [row for row in view.rows if row.accuracy is not None]
    points = [[when.get(row.number, 0.0), row.accuracy, row.costs["parameters"]] for row in rows]
    epochs = sum(row.rungs[-1][0] for row in view.rows if row.rungs)
    return {"points": sorted(points), "wasted": 0, "epochs": epochs,
            "train_seconds": sum(row.seconds or 0 for row in view.rows)}  # fmt: skip


def there(name: str) -> bool:
    """Whether a contestant's packages are installed; says so of one whose are not."""
    asked = [PYTHON, "-c", "import ray.tune"]
    if name != "ray" or not subprocess.run(asked, capture_output=True, check=False).returncode:
        return True
    print("ray is left out, for Ray is not installed: pip install 'ray[tune]'", flush=True)
    return False


def main() -> None:
    """Race, keep, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("course", choices=COURSES)
    parser.add_argument("--root", default="data")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[*USUAL, *OURS])
    given = parser.parse_args()
    course = COURSES[given.course]
    RESULTS.mkdir(exist_ok=True)
    if course.given:
        teacher_weights(course, given.root)
    os.environ["NAS_KD_CACHE"] = str(CACHE)
    prepare(course.data, SOURCES[course.data], Request(Path(given.root).resolve()))
    racing = [name for name in given.only if there(name)]
    for seed in range(given.seeds):
        for name in racing:
            out = RESULTS / f"{given.course}-{name}-{seed}.json"
            if out.exists():
                continue
            run, how = (usual, USUAL[name]) if name in USUAL else (ours, OURS[name])
            out.write_text(json.dumps(run(course, given.root, seed, how, out)))
            facts = json.loads(out.read_text())
            print(f"{out.stem}: {facts['wall']:.1f} s, best "
                  f"{max(p[1] for p in facts['points']):.4f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
