"""The search's log: each step, mishap and scored student as one line of search.log."""

import contextlib
import os
from datetime import UTC, datetime

from nas_kd.driver.events import Event, Mended, Observe, Scored, Step, Trained
from nas_kd.spec.settings import settings_in_words
from nas_kd.study.folder import Lock, StudyFolder
from nas_kd.study.mishaps import keep_mishap


def logged(folder: StudyFolder, held: Lock, observe: Observe) -> Observe:
    """Also write steps, mishaps and scores to search.log, with the time; and keep mishaps, the
    first of which may be that whoever held the folder before was killed."""

    def both(event: Event) -> None:
        if isinstance(event, Mended):
            keep_mishap(folder, event.kind, event.text)
        if isinstance(event, Step | Mended | Scored | Trained):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            with contextlib.suppress(OSError), folder.log.open("a") as file:
                file.write(f"{now} {os.getpid()} {line(event)}\n")
        observe(event)

    if held.killed:
        both(Mended("killed", f"{held.killed} ended in the middle; what it had finished is kept"))
    return both


def line(event: Step | Mended | Scored | Trained) -> str:
    """An event as one line of text."""
    if isinstance(event, Step):
        return event.text
    if isinstance(event, Mended):
        return f"{event.kind:<9} {event.text}"
    if isinstance(event, Trained):
        reached = f"{100 * event.accuracy:.2f}% on {event.split}"
        return f"confirm   {event.name}: {event.fault or reached}"
    record = event.student
    how = settings_in_words(record.settings)
    score = event.stopped or f"{100 * event.accuracy:.2f}%"
    return (
        f"trial {record.number:<4}{score}  {record.config.name()}, {event.cost:,} {event.axis}, "
        f"{how}"
    )
