"""The share of the workers' time in which they work, in a search of the usual kind.

    python studies/overhead/busy.py glyphs 20k 32 10 [--root DATA] [--workers 2] [--seed 0]
    PYTHONSAFEPATH=1 PYTHONPATH=studies/race:studies/overhead RACE_SHAPE=1,28,28 \
        python studies/overhead/busy.py mnist 20k 12 3 --seed 1 --root DATA \
        --teacher teacher:given --weights studies/race/results/teacher-mnist.pt

Counted from the moment the teacher is ready to the end of the last job but one, and to that of the
last, which often is the twin of the best.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

from timed import PLACE, Timed

from nas_kd.driver.drive import drive
from nas_kd.driver.events import Step
from nas_kd.driver.options import RunOptions
from nas_kd.spec import StudySpec
from nas_kd.workers.executors import open_executor

TEACHER_WIDTH = 8
"""Small, to make the run shorter."""


def main() -> None:
    """Search, then read when the jobs ran."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("budget")
    parser.add_argument("trials", type=int)
    parser.add_argument("epochs", type=int)
    parser.add_argument("--root", type=Path, default=Path("data"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--teacher", default="train")
    parser.add_argument("--weights", type=Path)
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp())
    os.environ[PLACE] = str(place / "jobs")
    spec = StudySpec.create({
        "budget": [given.budget], "data": given.data, "trials": given.trials,
        "epochs": given.epochs, "teacher_width": TEACHER_WIDTH, "seed": given.seed,
        "teacher": given.teacher,
    })  # fmt: skip
    options = RunOptions(
        place / "study",
        given.workers,
        data_root=given.root,
        teacher_weights=(given.weights,) if given.weights else (),
    )
    executor = Timed(open_executor(given.workers))
    drive(spec, options, lambda e: print(e.text) if isinstance(e, Step) else None, executor)
    jobs = [json.loads(line) for line in (place / "jobs").read_text().splitlines()]
    ready = max(end for _, name, _, end in jobs if name == "ready_teacher")
    late = sorted((end, max(start, ready)) for _, _, start, end in jobs if end > ready)
    for name, some in (("but the last", late[:-1]), ("all", late)):
        span = some[-1][0] - ready
        busy = sum(end - start for end, start in some) / (given.workers * span)
        print(f"{name}: {len(some)} jobs in {span:.1f} s after the teacher, busy {100 * busy:.1f}%")


main()
