"""Where the time of `nas-kd search --budget 20k` goes, as whole processes.

    python studies/overhead/search.py 3

Each run has a new folder and an empty cache; the moments are read from its search.log.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

MOMENTS = {"data ": "data", "trial ": "first student", "teacher +[0-9]": "teacher ready",
           "control ": "twin trained"}  # fmt: skip


def measured(number: int) -> dict[str, float]:
    """Seconds from the command to each moment of one run."""
    folder = Path(tempfile.mkdtemp())
    program = Path(sys.executable).with_name("nas-kd")
    environment = os.environ | {"NAS_KD_CACHE": str(folder / "cache")}
    began = time.time()
    done = subprocess.run(
        [program, "search", "--budget", "20k"], cwd=folder, env=environment, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    result = {}
    for line in (folder / "runs/glyphs-20k/search.log").read_text().splitlines():
        stamp, _, text = line.split(" ", 2)
        for pattern, name in MOMENTS.items():
            if name not in result and re.match(pattern, text):
                result[name] = datetime.fromisoformat(stamp).timestamp() - began
    result["end"] = time.time() - began
    print(f"run {number}:", "  ".join(f"{k} {v:.0f} s" for k, v in result.items()), flush=True)
    print("       ", next(x for x in done.stdout.splitlines() if x.startswith("Distill")))
    return result


for number in range(int(sys.argv[1])):
    measured(number)
