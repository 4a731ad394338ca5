"""Whose initial weights a trial has."""

from nas_kd.costs.budgets import parse_budgets
from nas_kd.driver.context import weight_seed_trial
from nas_kd.space.resolve import resolve
from tests.conftest import tiny


def seeds(**settings: object) -> list[int]:
    spec = tiny(**settings)
    space = resolve(spec, parse_budgets(spec.budget), (1, 8, 8), 10)
    return [weight_seed_trial(space, trial) for trial in range(6)]


def test_a_default_student_and_the_same_without_the_teacher_begin_alike() -> None:
    assert seeds() == [0, 0, 2, 2, 4, 5]


def test_without_pairs_every_trial_has_weights_of_its_own() -> None:
    assert seeds(alpha=0.0) == [0, 1, 2, 3, 4, 5]
    assert seeds(alpha=[0.1, 1.0]) == [0, 1, 2, 3, 4, 5]
