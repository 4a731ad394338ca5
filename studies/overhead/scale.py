"""What the driver itself costs a trial, and whether memory grows: python scale.py [TRIALS] [parts]

Students of milliseconds (a tiny `mlp`, one epoch of digits), so that everything else shows: time in
the sampler, the database, decoding and scheduling; and the proportional memory of the driver and of
its workers after 50, 100, 500 and all trials. With `parts` it is also told which function takes
what, under Python's profiler, which makes all of it slower.
"""

import cProfile
import os
import pstats
import resource
import sys
import tempfile
import time
from pathlib import Path

from nas_kd.driver.drive import drive
from nas_kd.driver.events import Scored
from nas_kd.driver.options import RunOptions
from nas_kd.spec import StudySpec

TRIALS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
PARTS = {
    "sampler": ("space/sampler.py", "propose"),
    "decoding": ("students/decode.py", "decode"),
    "database": ("study/database.py", "propose|tell|trials|records|note"),
    "waiting for workers": ("futures/_base.py", "wait"),
}


def memory(pid: str) -> float:
    """Proportional share of a process, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(x.split()[1]) for x in lines if x.startswith("Pss:")) / 1024


def children(pid: str) -> list[str]:
    """The processes below one, itself included."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(p for child in below for p in children(child))]


seen = 0


def observe(event: object) -> None:
    """Count students and look at the memory."""
    global seen
    if isinstance(event, Scored):
        seen += 1
        if seen in (16, 50, 100, 500, TRIALS):
            me, *others = children(str(os.getpid()))
            each = ", ".join(f"{memory(p):.0f}" for p in others)
            print(
                f"after {seen:>4} students: driver {memory(me):.0f} MB, others {each} MB",
                flush=True,
            )


spec = StudySpec.create({
    "budget": "2k", "data": "digits", "trials": TRIALS, "epochs": 1, "teacher_epochs": 3,
    "teacher_width": 8, "depth": [1, 3], "family": "mlp",
})  # fmt: skip
profile = cProfile.Profile()
began = time.perf_counter()
if "parts" in sys.argv:
    profile.enable()
drive(spec, RunOptions(Path(tempfile.mkdtemp()) / "study", 2), observe)
profile.disable()
wall = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_SELF)
print(f"{TRIALS} trials: {wall:.1f} s, {1000 * wall / TRIALS:.1f} ms a trial; "
      f"driver's CPU time {used.ru_utime + used.ru_stime:.1f} s")  # fmt: skip
stats = pstats.Stats(profile).stats if "parts" in sys.argv else {}  # type: ignore[attr-defined]
for part, (file, names) in PARTS.items() if stats else ():
    total = sum(
        cumulative
        for (path, _, name), (_, _, _, cumulative, _) in stats.items()
        if path.endswith(file) and name in names.split("|")
    )
    print(f"  {part:<20} {total:6.1f} s, {1000 * total / TRIALS:5.1f} ms a trial")
