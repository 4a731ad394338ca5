"""What the last check of a study found, kept in its folder."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from nas_kd.check.finding import Finding
from nas_kd.files import write_text
from nas_kd.records import read_record


class Findings(BaseModel):
    """What a check found, and when."""

    model_config = ConfigDict(frozen=True)

    when: str
    findings: tuple[Finding, ...]


def keep_findings(path: Path, found: Iterable[Finding]) -> None:
    """Write what a check found."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_text(path, Findings(when=now, findings=tuple(found)).model_dump_json(indent=1))


def read_findings(path: Path) -> Findings | None:
    """What the last check found; None if nobody checked. Raises Unusable."""
    if not path.exists():
        return None
    return read_record(Findings, path, f"Check again: nas-kd check {path.parent}")
