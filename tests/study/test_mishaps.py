"""What went wrong on the way: kept in the study, said in words."""

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from nas_kd.driver.drive import drive
from nas_kd.driver.events import Event, Mended
from nas_kd.driver.options import RunOptions
from nas_kd.files import write_text
from nas_kd.report.cards import on_the_way
from nas_kd.study.folder import StudyFolder, lock
from nas_kd.study.mishaps import in_words, keep_mishap, mishaps
from nas_kd.study.view import StudyView
from tests.conftest import Run, searched, tiny


def test_mishaps_are_kept_in_order_and_counted_in_words(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    assert mishaps(folder) == ()
    keep_mishap(folder, "again", "trial 3: its worker process ended; try 2 of 3")
    keep_mishap(folder, "storage", "the server went away")
    keep_mishap(folder, "again", "trial 3: its worker process ended; try 3 of 3")
    found = mishaps(folder)
    assert [one.kind for one in found] == ["again", "storage", "again"]
    assert found[0].text.startswith("trial 3")
    assert in_words(found) == ["2 jobs were done again", "the database's server was waited for"]


def test_a_torn_line_and_one_of_somebody_else_are_left_out(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    keep_mishap(folder, "killed", "process 7 on here")
    with folder.mishaps.open("ab") as file:
        file.write(b'{"kind": "hacked", "text": "", "when": ""}\n[1]\n{"kind": {}}\n\xff\n')
        file.write(b"[" * 100_000 + b"\n" + b'{"kind": "again", "te')
    assert [one.kind for one in mishaps(folder)] == ["killed"]


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    StudyFolder(tmp_path).mishaps.mkdir()
    keep_mishap(StudyFolder(tmp_path), "again", "")
    assert mishaps(StudyFolder(tmp_path)) == ()


def test_who_let_go_of_a_folder_was_not_killed(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    with lock(folder) as held:
        assert held.killed == ""
    with pytest.raises(KeyError), lock(folder):
        raise KeyError
    with lock(folder) as held:
        assert held.killed == ""
    folder.lock.write_text("process 7 on here")
    with lock(folder) as held:
        assert held.killed == "process 7 on here"


def test_the_holder_of_a_folder_that_was_copied_was_not_killed(tmp_path: Path) -> None:
    copied = StudyFolder(tmp_path)
    for number, killed in ((os.getppid(), False), (os.getpid(), True)):
        holder = f"process {number} on {socket.gethostname()}"
        copied.lock.write_text(holder)
        with lock(copied) as held:
            assert held.killed == (holder if killed else "")


def test_a_teacher_that_was_being_trained_begins_anew_and_that_is_said(tmp_path: Path) -> None:
    folder, seen = StudyFolder(tmp_path / "study"), list[Event]()
    write_text(folder.lock, "process 7 on here")
    write_text(folder.progress("teacher"), "..")
    drive(tiny(trials=2, teacher_epochs=4, seed=7), RunOptions(folder.root, 0), seen.append)
    said = [event.text for event in seen if isinstance(event, Mended)]
    assert "the teacher's training ended in epoch 2 of 4, and begins anew" in said


def test_an_undisturbed_study_says_that_nothing_went_wrong(study: StudyView) -> None:
    card = on_the_way(study)
    assert card.subtitle == "Nothing went wrong on the way."
    assert card.state == "good"
    assert card.frame.empty


def test_students_that_failed_are_said_with_what_was_done_again(
    study: StudyView, tmp_path: Path
) -> None:
    keep_mishap(StudyFolder(tmp_path), "again", "trial 0: its worker process ended; try 2 of 3")
    failed = replace(study.rows[0], fault="its loss is not finite")
    rows = (failed, *study.rows[1:])
    card = on_the_way(replace(study, folder=StudyFolder(tmp_path), rows=rows))
    assert card.state == "look here"
    assert card.subtitle == (
        f"On the way: one job was done again, 1 of {len(rows)} students failed."
    )
    assert list(card.frame["kind"]) == ["again", "failed"]


def test_a_search_that_was_killed_says_so_at_its_end(run: Run, tmp_path: Path) -> None:
    searched(tmp_path / "study", trials=4, generation=4)
    StudyFolder(tmp_path / "study").lock.write_text("process 7 on here")
    done = run("search", "--study", "study", "--trials", "6", "--workers", "0")
    assert done.returncode == 0
    assert "killed    process 7 on here ended in the middle" in done.stdout
    assert "On the way: it was killed once, and went on." in done.stdout
