"""The looks at the test split that were counted, in a study or in a package."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from nas_kd.files import write_text
from nas_kd.records import read_record

EVALUATIONS = "evaluations.json"
"""The file of a package, or a study, that has them."""


class Look(BaseModel):
    """A student was scored on the test split, by the metrics whose names stand beside."""

    model_config = ConfigDict(frozen=True, extra="allow")

    when: str
    accuracy: float
    examples: int
    trial: int


def read_looks(folder: Path) -> list[dict[str, Any]]:
    """The looks that a study or package counts; none if there is no file. Raises Unusable."""
    path = folder / EVALUATIONS
    if not path.exists():
        return []
    right = "Bring the file back as it was: the looks in it count."
    return [look.model_dump() for look in read_record(list[Look], path, right)]


SCORES = "confirm-scores.json"
"""The file of a study that counts the scores of its confirms: those of students that were trained
anew, each seed one score."""


class Scores(BaseModel):
    """How many scores on the test split the confirms of a study made."""

    model_config = ConfigDict(frozen=True)

    scores: NonNegativeInt


def scores_of_confirms(folder: Path) -> int:
    """How many scores the confirms of a study made: as many as were counted, and no fewer than are
    kept. Raises Unusable."""
    path = folder / SCORES
    kept = sum(1 for _ in folder.glob("confirm/epochs-*/*/seed-*/outcome.json"))
    if not path.exists():
        return kept
    right = "Bring the file back as it was: it counts."
    return max(kept, read_record(Scores, path, right).scores)


def count_score(folder: Path) -> None:
    """Count one more score of a confirm."""
    write_text(folder / SCORES, Scores(scores=scores_of_confirms(folder) + 1).model_dump_json())


def all_scores(folder: Path) -> int:
    """How many scores on the test split a study counts: evaluations, and those of its confirms.

    Raises Unusable.
    """
    return len(read_looks(folder)) + scores_of_confirms(folder)
