"""What went wrong on the way of a study and was mended: it is kept, and said at the end."""

import contextlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Literal, get_args

from nas_kd.study.folder import StudyFolder

Kind = Literal["killed", "again", "spoiled", "storage", "cluster"]

WORDS: dict[Kind, tuple[str, str]] = {
    "killed": ("it was killed once, and went on", "it was killed {} times, and went on"),
    "again": ("one job was done again", "{} jobs were done again"),
    "spoiled": ("one spoiled checkpoint was made again", "{} spoiled checkpoints were made again"),
    "storage": ("the database's server was waited for", "the database's server was waited for {} "
                "times"),
    "cluster": ("the scheduler was waited for", "the scheduler was waited for {} times"),
}  # fmt: skip
"""What is said of one of a kind, and of several."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """One of them."""

    kind: Kind
    text: str
    """What happened, and to whom."""
    when: str
    """In UTC, by ISO 8601."""


def keep_mishap(folder: StudyFolder, kind: Kind, text: str) -> None:
    """Add one to those of a study; a folder that cannot be written does not stop the study."""
    mishap = Mishap(kind, text, datetime.now(UTC).isoformat(timespec="seconds"))
    with contextlib.suppress(OSError), folder.mishaps.open("a") as file:
        file.write(json.dumps(asdict(mishap)) + "\n")


def mishaps(folder: StudyFolder) -> tuple[Mishap, ...]:
    """Those of a study, oldest first; a line that is none is left out."""
    try:
        lines = folder.mishaps.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(one for line in lines if (one := parsed(line)))


def parsed(line: str) -> Mishap | None:
    """A line as it was kept; None for one that was torn or is somebody else's."""
    try:
        facts = json.loads(line)
        texts = {field.name: str(facts[field.name]) for field in fields(Mishap)}
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return Mishap(**texts) if texts["kind"] in get_args(Kind) else None  # type: ignore[arg-type]


def in_words(found: tuple[Mishap, ...]) -> list[str]:
    """What happened, a phrase for each kind of it."""
    counts = Counter(mishap.kind for mishap in found)
    return [
        one if counts[kind] == 1 else several.format(counts[kind])
        for kind, (one, several) in WORDS.items()
        if counts[kind]
    ]
