"""One generation: who goes first, and how far at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nas_kd.driver import generation
from nas_kd.driver.drive import drive
from nas_kd.driver.events import Event, Scored, Started
from nas_kd.driver.options import RunOptions
from nas_kd.front import Point
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import StudyView, read_study
from tests.conftest import TAUGHT, searched, tiny


def test_the_ladder_is_known_before_anybody_else_whom_the_teacher_teaches(
    study: StudyView, tmp_path: Path
) -> None:
    seen: list[Event] = []
    spec = tiny(trials=10, generation=10, epochs=3, rungs=[1, 2],
                teacher="tests.teachers.own:eight_wide")  # fmt: skip
    weights = study.folder.teacher / "weights.safetensors"
    drive(spec, RunOptions(tmp_path, workers=1, teacher_weights=(weights,)), seen.append)
    order = [e.student.number for e in seen if isinstance(e, Scored) and e.student.taught]
    assert set(order[:2]) == {4, 5}
    rows = read_study(StudyFolder(tmp_path)).rows
    assert [epoch for epoch, _ in rows[4].rungs] == [1, 2, 3]
    jobs = [event.job for event in seen if isinstance(event, Started)]
    students = [j for j in jobs if j.startswith("trial") and j not in ("trial 1", "trial 3")]
    assert students[0] == "trials 4, 5"
    assert jobs.count("trials 4, 5") == 1
    assert jobs.count("trial 1") == 3


def test_a_told_member_of_the_ladder_is_compared_at_every_rung_though_its_mate_trains_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = TAUGHT | {"generation": 8, "epochs": 4, "rungs": [1, 2, 3], "trials": 6}
    tell, survivors = Ledger.tell, generation.survivors
    compared: list[set[int]] = []

    def stop(ledger: Ledger, number: int, *rest: Any) -> None:
        if number == 3:
            raise KeyboardInterrupt
        tell(ledger, number, *rest)

    def watch(live: Sequence[Point], *rest: Any) -> frozenset[int]:
        compared.append({point.trial for point in live})
        return survivors(live, *rest)

    monkeypatch.setattr(generation, "survivors", watch)
    searched(tmp_path / "whole", **spec)
    before = compared.copy()
    assert all({2, 3} <= trials for trials in before)
    with monkeypatch.context() as torn:
        torn.setattr(Ledger, "tell", stop)
        with pytest.raises(KeyboardInterrupt):
            searched(tmp_path / "torn", **spec)
    kept = tmp_path / "torn" / "checkpoints"
    assert not (kept / "00002").exists()
    for path in list(kept.glob("00003/rung-[234]*")):
        path.unlink()
    compared.clear()
    searched(tmp_path / "torn", **spec)
    assert compared == before
