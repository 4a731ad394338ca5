"""What a study's students get by default: batches, epochs and rungs."""

from dataclasses import replace

import pytest

from nas_kd.data.transfer import TransferSet
from nas_kd.spec import StudySpec
from nas_kd.training.jobs import STEPS, default_batch, default_rungs, student_epochs
from nas_kd.training.recipe import Recipe


@pytest.mark.parametrize(
    ("epochs", "rungs"),
    [(1, ()), (2, (1,)), (3, (1, 2)), (10, (1, 3, 6)), (15, (2, 5, 9)), (90, (9, 27, 54))],
)
def test_rungs_lie_at_one_three_and_six_tenths(epochs: int, rungs: tuple[int, ...]) -> None:
    assert default_rungs(epochs) == rungs


@pytest.mark.parametrize(
    ("examples", "epochs"),
    [(60_000, 10), (12_800, 10), (1_077, 24), (660, 20), (127, 100), (3, 100)],
)
def test_students_of_few_examples_have_more_epochs(examples: int, epochs: int) -> None:
    batch = default_batch(examples)
    assert student_epochs(examples, batch) == epochs
    steps = epochs * -(-examples // batch)
    assert steps >= STEPS or epochs == 100


def test_what_is_said_of_epochs_and_rungs_counts(digits: TransferSet) -> None:
    few = replace(digits, train=(0, 200))
    assert Recipe(StudySpec.create({"budget": "20k"}), few).epochs == 62
    assert Recipe(StudySpec.create({"budget": "20k"}), few).rungs == (7, 19, 38)
    said = Recipe(StudySpec.create({"budget": "20k", "epochs": 5, "rungs": [2]}), few)
    assert (said.epochs, said.rungs) == (5, (2,))
    never = Recipe(StudySpec.create({"budget": "20k", "rungs": []}), few)
    assert never.rungs == ()
