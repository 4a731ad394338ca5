"""What a seed does to a student's accuracy, beyond the examples that it is scored on.

    python studies/verdict/luck.py RESULT.json STUDY...

Reads the answers that `nas-kd confirm` keeps of every student and seed. The variance of the seeds
is (MS_seeds - MS_rest) / N of the two-way layout of seeds and examples; `share` is its root over
sqrt(accuracy * (1 - accuracy)), and `pooled` the root of the mean square of the shares of students
with enough test examples.
"""

import json
import sys
from math import sqrt
from pathlib import Path

import numpy as np

from nas_kd.confirm.confirmation import read_confirmation
from nas_kd.crossed import mean_squares
from nas_kd.study.folder import StudyFolder

ENOUGH = 10_000
"""With fewer test examples what a seed does cannot be told from what the examples do."""


def students(place: Path) -> list[dict[str, object]]:
    """Each confirmed student of a study, and what seeds did to it."""
    folder = StudyFolder(place)
    result, data = read_confirmation(folder.confirmation), folder.read_data()
    assert result is not None, f"{place} is not confirmed"
    labels_N = data.labels.open()[slice(*data.test)]
    found = []
    for one in {student.key: student for student in result.students}.values():
        epochs = folder.confirmed / f"epochs-{result.epochs}" / one.key
        seeds = sorted(epochs.glob("seed-*/answers.npy"))
        right_SN = np.stack([np.load(path)[:, 0] == labels_N for path in seeds]).astype(float)
        accuracy = float(right_SN.mean())
        found_of = mean_squares(right_SN)
        variance = (found_of.seeds - found_of.rest) / len(labels_N)  # may be negative
        variance /= accuracy * (1 - accuracy)
        found.append({
            "study": place.name, "student": f"{one.role}: {one.label}", "epochs": result.epochs,
            "seeds": len(seeds), "examples": len(labels_N), "accuracy": round(accuracy, 4),
            "variance_share": variance, "share": round(sqrt(max(0.0, variance)), 4),
        })  # fmt: skip
    return found


def main(to: str, *places: str) -> None:
    """Measure, print and keep."""
    found = [one for place in places for one in students(Path(place))]
    for one in found:
        print(f"{one['study']:<14}{one['student']:<36}{one['accuracy']:.4f}  {one['share']:.4f}")
    sharp = [one["variance_share"] for one in found if one["examples"] >= ENOUGH]
    pooled = sqrt(float(np.mean(sharp)))
    print(f"pooled {pooled:.4f} of {len(sharp)} students")
    Path(to).write_text(json.dumps({"pooled": round(pooled, 4), "students": found}, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
