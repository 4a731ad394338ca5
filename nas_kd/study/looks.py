"""The looks at the test split that were counted, in a study or in a package."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

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
