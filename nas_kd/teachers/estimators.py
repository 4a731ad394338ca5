"""Fitted estimators of scikit-learn, and whatever else has `predict_proba`.

One that was fitted on a table with named columns is given those columns of the rows as they were
read; another one the examples as they are stored, a row of numbers each.

Suffixes: B examples, C classes, F features, N rows.
"""

import copy
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas_kd.data.cells import plain_name
from nas_kd.data.source import UNLABELLED, Rows_N
from nas_kd.data.transfer import TransferSet
from nas_kd.errors import NasKDError, UnusableTeacher
from nas_kd.teachers.adapting import FLOOR
from nas_kd.teachers.teacher import Answerer, Teacher

if TYPE_CHECKING:
    import pandas as pd


ROUNDED = 0.02
"""Probabilities may add up to so much more or less than 1: they were rounded."""

MISSING = (
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
"""What pandas reads as missing unless it is told otherwise; here it is a word."""

BLANKED = "words such as None and NA are missing for it, as pandas reads them"

TRIED = 512
"""Training examples by which it is seen how an estimator's table was read."""

NEARLY = 1e-6
"""A probability may lie below 0 by so much."""


def is_estimator(found: Any) -> bool:
    """Whether an object that is no network can be asked for the probabilities of classes."""
    plain = not isinstance(found, type | nn.Module)
    return plain and callable(getattr(found, "predict_proba", None))


def of_estimator(found: Any, teacher: Teacher, data: TransferSet, sha256: str = "") -> Answerer:
    """An estimator as a teacher that can be asked. Raises UnusableTeacher."""
    given = f"teacher {teacher.target!r}"
    estimator = on_one_thread(found)
    column_C, notes = classes_of(estimator, data, given)
    names = [str(name) for name in named_features(estimator)]
    if names and not data.origin.tables and len(names) == prod(data.input_shape):
        notes += ("the names of its features are not used, since the data are no table",)
        names = []
    said = [name for name in ("output", "size", "mean", "gives")
            if getattr(teacher.expects, name) is not None]  # fmt: skip
    if said:
        notes += (f"it is no network: what is said of its {', '.join(said)} is not used",)
    by_row = bool(names)
    blank = False
    if by_row:
        expect_columns(names, data, given)
        notes += (f"sees {len(names)} columns as they were read",)
        blank = reads_as_pandas(estimator, data, names, column_C, given)
        notes += (BLANKED,) * blank

    def answer(row_B: Rows_N, examples_BX: Tensor) -> Tensor:
        asked = (
            rows_as_read(data, row_B, names, blank)
            if by_row
            else examples_BX.flatten(1).numpy().copy()
        )
        share_BC = probabilities_of(estimator, asked, len(column_C), given)[:, column_C]
        return torch.from_numpy(share_BC.astype(np.float32)).clamp_min(FLOOR).log()

    return Answerer(answer=answer, views=not by_row, by_row=by_row, sha256=sha256, notes=notes)


def named_features(estimator: Any) -> list[Any]:
    """The names of the columns that an estimator was fitted on; none if it has no names."""
    found = getattr(estimator, "feature_names_in_", None)
    return [] if found is None else list(found)


def on_one_thread(found: Any) -> Any:
    """A copy that asks for one thread: several add up their parts in an order that changes."""
    try:
        estimator = copy.deepcopy(found)
    except Exception:  # a lock or a connection in it: then it is asked as it is
        return found
    parameters: dict[str, Any] = getattr(estimator, "get_params", dict)()
    jobs = {name: 1 for name in parameters if name == "n_jobs" or name.endswith("__n_jobs")}
    if jobs:
        estimator.set_params(**jobs)
    return estimator


def probabilities_of(estimator: Any, asked: Any, classes: int, given: str) -> NDArray[np.float64]:
    """What an estimator answers, [B, C]. Raises UnusableTeacher, also for what are no
    probabilities."""
    from threadpoolctl import threadpool_limits

    try:
        with threadpool_limits(1):
            share_BC = np.asarray(estimator.predict_proba(asked), np.float64)
    except NasKDError:
        raise
    except Exception as error:  # whatever an estimator of the user's does
        right = "Fit it on examples of the same form: columns of the table as they are in its file."
        if isinstance(asked, np.ndarray):
            right = f"It is given examples as they are stored, {asked.shape[1]} numbers each."
        wrong = f"cannot answer the examples ({type(error).__name__}: {error})"
        raise UnusableTeacher(given, wrong, right) from error
    if share_BC.shape != (len(asked), classes):
        wrong = f"gives probabilities of shape {share_BC.shape} for {len(asked)} examples"
        raise UnusableTeacher(given, wrong, f"One row an example, {classes} columns: the classes.")
    off_B = np.abs(share_BC.sum(1) - 1)
    if not ((share_BC >= -NEARLY).all() and off_B.max() <= ROUNDED):
        wrong = f"gives what are no probabilities: {', '.join(f'{x:.3g}' for x in share_BC[0, :5])}"
        right = "predict_proba must give values from 0 to 1 that add up to 1."
        raise UnusableTeacher(given, wrong, right)
    return share_BC


def classes_of(
    estimator: Any, data: TransferSet, given: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The column [C] of each class of the data in an estimator's answers, and what is to be said.

    Its classes are the data's by name, or, where they are the numbers from 0, by number. Raises
    UnusableTeacher.
    """
    known = getattr(estimator, "classes_", None)
    numbers = np.arange(len(data.classes))
    if known is None:
        return numbers, ("it does not name its classes: they are taken in the data's order",)
    try:
        names = [plain_name(name) for name in np.asarray(known).tolist()]
    except ValueError as error:
        wrong = "has several outputs, each with classes of its own"
        raise UnusableTeacher(given, wrong, "Fit it on one column of labels.") from error
    if {*names} == {*data.classes} and len(names) == len(data.classes):
        places = np.array([names.index(name) for name in data.classes])
        other = not np.array_equal(places, numbers)
        return places, ("its classes are in another order, which is undone",) * other
    if names == [str(number) for number in numbers]:
        return numbers, ("its classes are numbers: taken as the places of the data's",)
    some, mine = (", ".join(texts[:12]) for texts in (names, list(data.classes)))
    wrong = f"knows the {len(names)} classes {some}, and the data have {len(data.classes)}: {mine}"
    raise UnusableTeacher(given, wrong, "Fit it on labels that are called as in the data.")


def expect_columns(names: list[str], data: TransferSet, given: str) -> None:
    """Raise UnusableTeacher unless the rows of the data were read with these columns."""
    if not data.origin.tables:
        right = "Fit it on arrays of the examples as they are stored, without names of columns."
        wrong = f"was fitted on the columns {', '.join(names[:8])}, and the data are no table"
        raise UnusableTeacher(given, wrong, right)
    there = data.origin.as_read(slice(0, 1)).columns
    if missing := [name for name in names if name not in there]:
        wrong = f"was fitted on columns that the table does not have: {', '.join(missing[:8])}"
        raise UnusableTeacher(given, wrong, f"Its columns are {', '.join(map(str, there[:20]))}.")


def rows_as_read(data: TransferSet, row_B: Rows_N, names: list[str], blank: bool) -> "pd.DataFrame":
    """The named columns of these rows as they were read; in columns of numbers a cell that is no
    number is missing, and with `blank` so is one that pandas takes for that."""
    import pandas as pd

    frame = data.origin.as_read(row_B)[names].copy()
    for column in data.columns:
        if column.name in names and column.words is None and not column.date:
            frame[column.name] = pd.to_numeric(frame[column.name], errors="coerce")
    return frame.where(~frame.isin(MISSING)) if blank else frame


def reads_as_pandas(
    estimator: Any, data: TransferSet, names: list[str], column_C: NDArray[np.int64], given: str
) -> bool:
    """Whether an estimator was fitted on a table in which words such as None are missing, as pandas
    reads them unless it is told otherwise: whether it is then right more often."""
    first, last = data.labelled
    row_B = np.arange(first, min(last, first + TRIED))
    if not rows_as_read(data, row_B, names, False).isin(MISSING).to_numpy().any():
        return False
    labels_B, right = data.labels.open()[row_B], []
    for blank in (False, True):
        try:
            asked = rows_as_read(data, row_B, names, blank)
            share_BC = probabilities_of(estimator, asked, len(column_C), given)[:, column_C]
            right.append(float((share_BC.argmax(1) == labels_B).mean()))
        except UnusableTeacher:
            right.append(-1.0)
    return bool(right[1] > right[0] or (right[1] == right[0] and labels_B[0] == UNLABELLED))
