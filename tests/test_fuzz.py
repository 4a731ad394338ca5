"""Random inputs are read, or refused with a message; `python -m tests.fuzz 20000` takes more."""

from pathlib import Path

import pytest

from nas_kd.study.view import StudyView
from tests.fuzz import run, whole


def test_500_random_inputs_are_read_or_refused(
    study: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in whole(study, tmp_path).items():
        monkeypatch.setenv(name, value)
    assert run(0, 500) == []
