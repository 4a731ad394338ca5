"""Which trials train together: a function of the trials alone."""

from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas_kd.costs.budgets import parse_budgets
from nas_kd.data.signals import Signals
from nas_kd.data.transfer import TransferSet
from nas_kd.driver.ask import attributes, settings
from nas_kd.driver.cohorts import cohorts, student, taught, work
from nas_kd.driver.context import Scene
from nas_kd.space.resolve import resolve
from nas_kd.space.sample import distributions
from nas_kd.space.sampler import propose_all
from nas_kd.students.family import StudentConfig
from nas_kd.students.packing import most_together
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder
from nas_kd.workers.job_queue import Awaited, Crew
from tests.conftest import results, searched, tiny


@pytest.fixture
def scene(digits: TransferSet, tmp_path: Path) -> Scene:
    """A study that has not begun."""
    spec = tiny(generation=32, trials=32)
    space = resolve(spec, parse_budgets(spec.budget), digits.input_shape, 10)
    ledger = Ledger.create(tmp_path / "study.db", "study", "validation accuracy", "parameters")
    return Scene(spec, StudyFolder(tmp_path), ledger, Crew(Executor()), digits, space, Awaited(),
                 lambda event: None)  # fmt: skip


def proposed(scene: Scene) -> list[FrozenTrial]:
    """A generation."""
    asked = distributions(scene.space)
    trials = []
    for number, sample in propose_all([], range(32), scene.space):
        facts: dict[str, Any] = attributes(scene, scene.space.student(sample))
        facts["settings"] = settings(sample)
        trial = create_trial(
            state=TrialState.RUNNING, params={name: sample[name] for name in asked},
            distributions=asked, user_attrs=facts,
        )  # fmt: skip
        trial.number = number
        trials.append(trial)
    return trials


def test_every_trial_is_in_one_cohort_and_some_share_one(scene: Scene) -> None:
    trials = proposed(scene)
    pieces = cohorts(scene, trials)
    assert sorted(t.number for piece in pieces for t in piece) == list(range(32))
    assert max(map(len, pieces)) >= 4


@pytest.mark.parametrize("batch", [32, 128])
def test_a_cohort_is_of_one_family_and_either_taught_or_not(scene: Scene, batch: int) -> None:
    scene = replace(scene, spec=scene.spec.model_copy(update={"batch": batch}))
    for piece in cohorts(scene, proposed(scene)):
        assert len({student(t).family for t in piece}) == 1
        assert len({taught(scene, t) for t in piece}) == 1
        assert len(piece) <= min(most_together("cpu", student(t), batch) for t in piece)


@pytest.mark.parametrize(
    ("family", "width", "batch", "most"),
    [
        ("cnn", 4, 128, 8), ("cnn", 4, 32, 16), ("cnn", 16, 128, 4), ("cnn", 16, 32, 16),
        ("cnn", 32, 128, 1), ("cnn", 32, 32, 4), ("cnn", 33, 32, 1), ("cnn", 4, 4096, 1),
        ("mlp", 128, 128, 16), ("mlp", 128, 1024, 2), ("mlp", 129, 16, 1), ("resnet", 4, 32, 1),
    ],
)  # fmt: skip
def test_how_many_train_together_depends_on_family_width_and_batch(
    family: str, width: int, batch: int, most: int
) -> None:
    config = StudentConfig(family, (1, 8, 8), 10, 1, (width,))
    assert most_together("cpu", config, batch) == most
    assert most_together("cuda", config, batch) == 1


def test_no_cohort_is_more_than_half_of_the_work(scene: Scene) -> None:
    trials = [t for t in proposed(scene) if student(t).family == "mlp"]
    pieces = cohorts(scene, trials)
    assert len(pieces) >= 2
    assert all(work(piece) <= 0.5 * work(trials) or len(piece) == 1 for piece in pieces)


def test_the_longest_goes_first_and_until_the_teacher_is_ready_the_untaught_ones(
    scene: Scene,
) -> None:
    trials = proposed(scene)
    waiting = [any(taught(scene, t) for t in piece) for piece in cohorts(scene, trials)]
    assert waiting == sorted(waiting)
    assert not waiting[0]
    scene.signals.set(Signals("0", None, None))  # type: ignore[arg-type]
    sizes = [work(piece) for piece in cohorts(scene, trials)]
    assert sizes == sorted(sizes, reverse=True)


def test_a_device_without_measurements_trains_one_by_one(scene: Scene) -> None:
    from dataclasses import replace

    other = replace(scene, device="abacus")
    assert all(len(piece) == 1 for piece in cohorts(other, proposed(scene)))


def test_with_rungs_and_cohorts_any_number_of_workers_gives_the_same_study(tmp_path: Path) -> None:
    spec = {"trials": 16, "generation": 16, "epochs": 3, "rungs": [1], "batch": 64}
    views = [searched(tmp_path / str(workers), workers=workers, **spec) for workers in (1, 2, 4)]
    assert any(row.state == "stopped" for row in views[0].rows)
    for other in views[1:]:
        assert results(other) == results(views[0])
        for row in views[0].rows:
            mine, theirs = (view.folder.student(row.number) / "weights.safetensors"
                            for view in (views[0], other))  # fmt: skip
            assert mine.exists() == theirs.exists()
            assert not mine.exists() or mine.read_bytes() == theirs.read_bytes()
