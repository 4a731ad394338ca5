"""MUNGE: synthetic rows of a table, between rows that resemble each other.

Bucila, Caruana, Niculescu-Mizil 2006, "Model Compression", KDD,
https://dl.acm.org/doi/10.1145/1150402.1150464, section 3.3. Of an example and its nearest
neighbour, each attribute is changed with probability P: a number is drawn around the neighbour's,
with the distance between both, divided by S, as standard deviation; a word is the neighbour's.
There the neighbour is changed too; here each synthetic row comes from one example of the split.

Suffixes: N rows, M synthetic rows, K columns, F features.
"""

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.columns import Matrix

P = 0.5
S = 1.0


def munge(
    rows_NK: Matrix, nominal_K: NDArray[np.bool_], features_NF: NDArray[np.float32],
    count: int, seed: int,
) -> tuple[Matrix, NDArray[np.int64]]:  # fmt: skip
    """So many synthetic rows [M, K], and the row [M] that each was made of.

    Neighbours are the nearest by the features, standardised. Numbers of a column that has whole
    ones alone are rounded, and none leaves the range of its column; a missing value counts as a
    word of its own.
    """
    from sklearn.neighbors import NearestNeighbors

    spread_F = features_NF.std(0)
    scaled_NF = (features_NF - features_NF.mean(0)) / np.where(spread_F > 0, spread_F, 1)
    near = NearestNeighbors(n_neighbors=2, n_jobs=1).fit(scaled_NF)
    place_N2 = near.kneighbors(scaled_NF, return_distance=False)
    itself_N = place_N2[:, 0] == np.arange(len(rows_NK))
    neighbour_N = np.where(itself_N, place_N2[:, 1], place_N2[:, 0])
    random = np.random.default_rng(seed)
    base_M = np.concatenate([
        random.permutation(len(rows_NK)) for _ in range(-(-count // len(rows_NK)))
    ])[:count]  # fmt: skip
    mine_MK, theirs_MK = rows_NK[base_M], rows_NK[neighbour_N[base_M]]
    drawn_MK = random.normal(theirs_MK, np.abs(mine_MK - theirs_MK) / S)
    swapped = nominal_K | np.isnan(mine_MK) | np.isnan(theirs_MK)
    changed_MK = np.where(swapped, theirs_MK, within(drawn_MK, rows_NK))
    return np.where(random.random(mine_MK.shape) < P, changed_MK, mine_MK), base_M


def within(drawn_MK: Matrix, rows_NK: Matrix) -> Matrix:
    """Numbers in the range of their column, whole ones where it has whole ones alone."""
    empty_K = np.isnan(rows_NK).all(0)
    known_NK = np.where(empty_K, 0.0, rows_NK)
    low_K, high_K = np.nanmin(known_NK, 0), np.nanmax(known_NK, 0)
    whole_K = (np.nan_to_num(known_NK) % 1 == 0).all(0)
    clipped_MK = drawn_MK.clip(low_K, high_K)
    return np.where(whole_K, clipped_MK.round(), clipped_MK)
