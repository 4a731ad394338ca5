"""Errors that teach, and that cross process borders."""

import pickle

import pytest

from nas_kd import errors

EXAMPLES: list[errors.NasKDError] = [
    errors.UnknownName("family", "mpl", ("mlp", "cnn")),
    errors.InvalidSpec(("budget: is needed", "trials: at least 1")),
    errors.BudgetTooSmall("5 parameters", (("mlp", "20 parameters"),)),
    errors.CountsDisagree("mine", "3-4", "10 parameters", "11"),
    errors.Unusable("a", "b", "c"),
    errors.UnusableBudget("a", "b", "c"),
    errors.UnusableData("a", "b", "c"),
    errors.UnusableTeacher("a", "b", "c"),
    errors.UnusableStudy("a", "b", "c"),
    errors.UnusablePackage("a", "b", "c"),
    errors.Unwritable("a", "b", "c"),
    errors.ServerLost("a", "b"),
    errors.DataNotHere("abc", "/x/y.npy", "host"),
    errors.StudyLocked("runs/x", "process 3 on host"),
    errors.SpecDiffers("runs/x", ("epochs: 3 there, 4 asked",)),
    errors.WorkFailed("train", "it died"),
    errors.WorkerDied("train", "it died"),
    errors.WorkerOverdue("train", "it died"),
]


def subclasses(kind: type) -> set[type]:
    return {kind} | {c for child in kind.__subclasses__() for c in subclasses(child)}


def test_there_is_an_example_of_every_error() -> None:
    found = {type(e) for e in EXAMPLES} | {errors.NasKDError}
    assert found == {c for c in subclasses(errors.NasKDError) if c.__module__ == errors.__name__}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: errors.NasKDError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (again.args, str(again), vars(again)) == (error.args, str(error), vars(error))


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_the_tree_in_the_docstring_names_every_error(error: errors.NasKDError) -> None:
    assert type(error).__name__ in (errors.__doc__ or "")


def test_an_unknown_name_says_what_may_have_been_meant() -> None:
    assert "Did you mean 'mlp'? Known: cnn, mlp." in str(EXAMPLES[0])
