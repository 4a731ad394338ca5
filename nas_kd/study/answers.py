"""The answers that finished students gave to the validation examples, as the study keeps them.

Suffixes: N examples, K of the largest logits.
"""

from pathlib import Path

import numpy as np

from nas_kd.crossed import Values
from nas_kd.metrics import METRICS, parts_of
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView
from nas_kd.training.checkpoints import COLUMNS


def values_of(view: StudyView, student: StudentRecord) -> Values | None:
    """What each validation example adds to the metric of a completed trial, as in `kept_values`."""
    number = student.number if student.duplicate_of is None else student.duplicate_of
    return kept_values(view, view.folder.student(number))


def kept_values(view: StudyView, place: Path) -> Values | None:
    """What each validation example adds to the metric [N] of the student in a folder; None where
    the metric does not tell, or the answers are not here any more."""
    try:
        answers_NK = np.load(place / "answers.npy", mmap_mode="r")
        labels_N = np.load(view.folder.truth, mmap_mode="r")
    except (OSError, ValueError):
        return None
    examples, kinds = view.facts["data"]["validation"], {answers_NK.dtype.kind, labels_N.dtype.kind}
    shapes = (answers_NK.ndim, answers_NK.shape[:1], labels_N.shape)
    if shapes != (2, (examples,), (examples,)) or not kinds <= {"i", "u"}:
        return None
    if not 1 <= answers_NK.shape[1] <= COLUMNS:
        return None
    metric = METRICS.get(view.spec.metric)  # one from outside may not be imported here
    return parts_of(metric, np.array(answers_NK), np.array(labels_N))
