"""Effects that were put there on purpose: the search and its confirm say each of them right."""

from pathlib import Path

import pytest

from nas_kd.confirm.asked import Asked
from nas_kd.confirm.confirm import confirm
from nas_kd.confirm.confirmation import Confirmation
from nas_kd.confirm.opening import options_of
from nas_kd.report.cards import verdict
from nas_kd.report.verdict import verdict_of
from nas_kd.study.view import StudyView
from tests.conftest import searched

pytestmark = pytest.mark.slow

PERMUTED = """
import torch
from safetensors.torch import load_file
from torch import nn
from nas_kd.teachers.network import wide


class Permuted(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = wide((1, 8, 8), 10, 8)
        self.network.load_state_dict(load_file({weights!r}))

    def forward(self, examples):
        return self.network(examples)[:, [1, 2, 3, 4, 5, 6, 0, 7, 8, 9]]


def permuted():
    return Permuted()
"""


def confirmed(view: StudyView) -> Confirmation:
    """A confirm of three seeds and the search's epochs."""
    asked = Asked(seeds=3, epochs=view.epochs)
    return confirm(options_of(view.folder.root, 2, trust=True), asked, lambda event: None)


def test_a_teacher_with_seven_of_its_ten_outputs_permuted_is_said_to_harm(
    study: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = str(study.folder.teacher / "weights.safetensors")
    (tmp_path / "permuting.py").write_text(PERMUTED.format(weights=weights))
    monkeypatch.syspath_prepend(str(tmp_path))
    view = searched(
        tmp_path / "study", 2, teacher="permuting:permuted", trials=8, epochs=10, family="mlp",
        alpha=[0.0, 1.0],
    )  # fmt: skip
    assert view.teachers[0]["accuracy"] < 0.5
    found = verdict_of(view)
    assert found.distillation is not None
    assert found.distillation.sign == -1
    assert found.sentences[0].startswith("Distillation lost")
    assert "is worse than a student alone" in verdict(view).subtitle
    result = confirmed(view)
    largest, alone = result.student("largest mlp"), result.student("largest mlp, alone")
    assert largest is not None
    assert alone is not None
    assert largest.reached is not None
    assert alone.reached is not None
    assert largest.reached.high < alone.reached.low
    assert verdict(view).state != "good"


def test_in_a_space_of_one_student_the_search_gained_nothing(tmp_path: Path) -> None:
    view = searched(
        tmp_path / "study", 2, family="mlp", depth=2, width=1, taper=1.2, temperature=4, alpha=0.9,
        learning_rate=0.02, trials=6, epochs=10,
    )  # fmt: skip
    assert len({row.identity for row in view.rows}) == 1
    assert "is itself the largest that fits" in verdict_of(view).sentences[1]
    result = confirmed(view)
    assert result.search is None
    assert "is itself the largest that fits" in result.sentences[1]
    alone = {one.key for one in result.students if "alone" in one.role}
    assert len({one.key for one in result.students} - alone) == 1


def test_a_real_gain_of_distillation_on_glyphs_is_said(tmp_path: Path) -> None:
    view = searched(
        tmp_path / "study", 2, data="glyphs", budget="20k", family="cnn", trials=2, epochs=12,
        depth=[1, 4], teacher_epochs=12, teacher_width=16, alpha=[0.0, 1.0],
    )  # fmt: skip
    assert verdict_of(view).sentences[0].startswith("Distillation gained")
