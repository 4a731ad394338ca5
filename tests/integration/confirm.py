"""Confirms a study in a process of its own, and kills it with SIGKILL at one exact moment.

python -m tests.integration.confirm FOLDER WORKERS [MOMENT COUNT VICTIM]
"""

import sys
from pathlib import Path

from nas_kd.confirm import confirm as confirming
from nas_kd.confirm import trainings
from nas_kd.confirm.asked import Asked
from nas_kd.confirm.confirm import confirm
from nas_kd.confirm.opening import options_of
from tests.integration.drive import after, remember_pools

MOMENTS = {
    "result": (trainings, "keep"),
    "student": (trainings, "keep_student"),
    "score": (trainings, "count_score"),
    "end": (confirming, "summed_up"),
}


def main(folder: str, workers: str, moment: str = "", count: str = "0", victim: str = "") -> None:
    remember_pools()
    if moment:
        after(*MOMENTS[moment], int(count), victim)
    confirm(options_of(Path(folder), int(workers)), Asked(2, 2), lambda event: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
