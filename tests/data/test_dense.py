"""Whatever holds numbers becomes an array."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from nas_kd.data.dense import dense
from nas_kd.data.given import raw_of
from nas_kd.errors import UnusableData

X = np.eye(40, dtype=np.float32)
Y = np.arange(40) % 4


@pytest.mark.parametrize(
    "held",
    [
        torch.tensor(X, requires_grad=True),
        torch.tensor(X).bfloat16(),
        torch.tensor(X).half(),
        torch.tensor(X).to_sparse(),
        torch.tensor(X).bfloat16().to_sparse(),
        torch.nn.Parameter(torch.tensor(X)),
        scipy.sparse.csr_matrix(X),
        scipy.sparse.coo_array(X),
        pd.DataFrame(X),
        X.tolist(),
        X.astype(np.longdouble),
    ],
    ids=lambda held: type(held).__name__,
)
def test_what_holds_numbers_is_read(held: Any) -> None:
    assert np.array_equal(np.asarray(dense(held, "x"), np.float32), X)
    raw = raw_of((held, Y), "x", lambda text: None)
    assert np.array_equal(raw.train.examples_NX, X)


def test_examples_of_a_dataset_may_want_gradients() -> None:
    pairs = [
        (torch.tensor(x, requires_grad=True), torch.tensor(int(y)))
        for x, y in zip(X, Y, strict=True)
    ]
    raw = raw_of(pairs, "x", lambda text: None)
    assert np.array_equal(raw.train.examples_NX, X)


@pytest.mark.parametrize(
    "held",
    [
        np.ma.masked_array(X, X > 0),
        torch.empty((40, 40), device="meta"),
        torch.zeros((40, 40), dtype=torch.float8_e4m3fn),
        torch.zeros((40, 40), dtype=torch.complex64).conj(),
    ],
    ids=["masked", "meta", "float8", "conjugated"],
)
def test_what_holds_no_plain_numbers_is_one_message(held: Any) -> None:
    with pytest.raises(UnusableData, match=r"masked|no array|examples of type"):
        raw_of((held, Y), "x", lambda text: None)


def test_a_sparse_matrix_that_would_fill_the_memory_is_refused() -> None:
    huge = scipy.sparse.csr_matrix((10**6, 10**6), dtype=np.float32)
    with pytest.raises(UnusableData, match=r"is sparse, of shape .*: too large"):
        raw_of((huge, np.zeros(10**6, np.int64)), "x", lambda text: None)
    with pytest.raises(UnusableData, match=r"is sparse, of shape .*: too large"):
        dense(torch.sparse_coo_tensor(size=(10**6, 10**6), check_invariants=True), "x")
