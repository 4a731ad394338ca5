"""Random inputs are read, or refused with a message; `python -m tests.fuzz 20000` takes more."""

from pathlib import Path

import pytest

from nas_kd.package.write import export
from nas_kd.study.view import StudyView
from tests.fuzz import run


def test_500_random_inputs_are_read_or_refused(
    study: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_KD_FUZZ_STUDY", str(study.folder.root))
    monkeypatch.setenv("NAS_KD_FUZZ_PACKAGE", str(export(study, "best", tmp_path / "package")))
    assert run(0, 500) == []
