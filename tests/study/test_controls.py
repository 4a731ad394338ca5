"""Controls: what is trained outside the trials, and when."""

from pathlib import Path
from typing import Any

import pytest

from nas_kd.front import Point, not_told_apart
from nas_kd.study.driver import drive
from nas_kd.study.events import Event, Scored, Started
from nas_kd.study.folder import StudyFolder
from nas_kd.study.options import RunOptions
from nas_kd.study.pool import InProcess
from nas_kd.study.reading import read_study
from tests.conftest import TAUGHT, tiny

ONE = TAUGHT | {"family": "mlp", "depth": 2, "trials": 3, "epochs": 3, "rungs": [2]}


@pytest.mark.parametrize(("settings", "clear"), [({}, True), ({"width": 1.0, "seed": 1}, False)])
def test_the_twin_of_a_clear_leader_is_begun_before_the_last_students_are_known(
    tmp_path: Path, settings: dict[str, Any], clear: bool
) -> None:
    seen: list[Event] = []
    drive(tiny(**ONE | settings), RunOptions(tmp_path, workers=2), seen.append, InProcess())
    view = read_study(StudyFolder(tmp_path))
    points = [Point(r.number, r.rungs[0][1], r.cost) for r in view.rows if r.state == "complete"]
    assert (len(not_told_apart(points, view.examples)) == 1) == clear
    twin = f"twin of trial {view.pick('best').number}"
    begun = [n for n, e in enumerate(seen) if isinstance(e, Started) and e.job == twin]
    scored = [n for n, event in enumerate(seen) if isinstance(event, Scored)]
    assert (begun[0] < scored[-1]) == clear
    assert view.facts["twin"]["trial"] == view.pick("best").number
