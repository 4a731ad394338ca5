"""One generation: who goes first, and how far at once."""

from pathlib import Path

from nas_kd.study.driver import drive
from nas_kd.study.events import Event, Scored, Started
from nas_kd.study.folder import StudyFolder
from nas_kd.study.options import RunOptions
from nas_kd.study.reading import StudyView, read_study
from tests.conftest import tiny


def test_the_ladder_is_known_before_anybody_else_whom_the_teacher_teaches(
    study: StudyView, tmp_path: Path
) -> None:
    seen: list[Event] = []
    spec = tiny(trials=10, generation=10, epochs=3, rungs=[1, 2],
                teacher="tests.teachers.own:eight_wide")  # fmt: skip
    weights = study.folder.teacher / "weights.safetensors"
    drive(spec, RunOptions(tmp_path, workers=1, teacher_weights=weights), seen.append)
    order = [e.trial for e in seen if isinstance(e, Scored) and e.alpha > 0]
    assert set(order[:2]) == {4, 5}
    rows = read_study(StudyFolder(tmp_path)).rows
    assert [epoch for epoch, _ in rows[4].rungs] == [1, 2, 3]
    jobs = [event.job for event in seen if isinstance(event, Started)]
    students = [j for j in jobs if j.startswith("trial") and j not in ("trial 1", "trial 3")]
    assert students[0] == "trials 4, 5"
    assert jobs.count("trials 4, 5") == 1
    assert jobs.count("trial 1") == 3
