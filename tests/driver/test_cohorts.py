"""Which students train together: a function of the students alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from nas_kd.costs.budgets import parse_budgets
from nas_kd.data.transfer import TransferSet
from nas_kd.driver.ask import new_record
from nas_kd.driver.cohorts import cohorts, work
from nas_kd.space.resolve import resolve
from nas_kd.space.sampler import propose_all
from nas_kd.students.family import StudentConfig
from nas_kd.students.packing import most_together
from nas_kd.study.record import StudentRecord
from nas_kd.training.recipe import Recipe
from tests.conftest import results, searched, tiny


@pytest.fixture
def recipe(digits: TransferSet) -> Recipe:
    """Of a study that has not begun."""
    return Recipe(tiny(generation=32, trials=32), digits)


@pytest.fixture
def generation(recipe: Recipe) -> list[StudentRecord]:
    """Students that are proposed together."""
    spec = recipe.spec
    space = resolve(spec, parse_budgets(spec.budget), recipe.data.input_shape, 10)
    samples = propose_all([], range(32), space)
    return [new_record(space, number, sample, 0) for number, sample in samples]


def test_every_student_is_in_one_cohort_and_some_share_one(
    recipe: Recipe, generation: list[StudentRecord]
) -> None:
    pieces = cohorts(recipe, generation)
    assert sorted(r.number for piece in pieces for r in piece) == list(range(32))
    assert max(map(len, pieces)) >= 4


@pytest.mark.parametrize("batch", [32, 128])
def test_a_cohort_is_of_one_family_and_either_taught_or_not(
    recipe: Recipe, generation: list[StudentRecord], batch: int
) -> None:
    other = replace(recipe, spec=recipe.spec.model_copy(update={"batch": batch}))
    for piece in cohorts(other, generation):
        assert len({record.config.family for record in piece}) == 1
        assert len({record.taught for record in piece}) == 1
        assert len(piece) <= min(most_together("cpu", record.config, batch) for record in piece)


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


def test_no_cohort_is_more_than_half_of_the_work(
    recipe: Recipe, generation: list[StudentRecord]
) -> None:
    alike = [record for record in generation if record.config.family == "mlp"]
    pieces = cohorts(recipe, alike)
    assert len(pieces) >= 2
    assert all(work(piece) <= 0.5 * work(alike) or len(piece) == 1 for piece in pieces)


def test_the_longest_goes_first(recipe: Recipe, generation: list[StudentRecord]) -> None:
    sizes = [work(piece) for piece in cohorts(recipe, generation)]
    assert sizes == sorted(sizes, reverse=True)


def test_a_device_without_measurements_trains_one_by_one(
    recipe: Recipe, generation: list[StudentRecord]
) -> None:
    pieces = cohorts(replace(recipe, device="abacus"), generation)
    assert all(len(piece) == 1 for piece in pieces)


def test_with_rungs_and_cohorts_any_number_of_workers_gives_the_same_study(tmp_path: Path) -> None:
    spec = {"trials": 14, "generation": 14, "rungs": [1], "batch": 64}
    views = [searched(tmp_path / str(workers), workers=workers, **spec) for workers in (1, 3)]
    assert any(row.state == "stopped" for row in views[0].rows)
    assert results(views[0]) == results(views[1])
    for row in views[0].rows:
        mine, theirs = (view.folder.student(row.number) / "weights.safetensors" for view in views)
        assert mine.exists() == theirs.exists()
        assert not mine.exists() or mine.read_bytes() == theirs.read_bytes()
