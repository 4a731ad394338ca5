"""mnist1d: 4,000 signals of 40 values for training and 1,000 to judge, and as many more as asked.

Greydanus, Kobak 2024, "Scaling Down Deep Learning with MNIST-1D",
https://arxiv.org/abs/2011.14439; made by their package (extra `mnist1d`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.source import Labelled, Raw, Request, Source
from nas_kd.errors import UnusableData

SEED = 42
"""The seed of the published set; a request's seed is added."""


def load(request: Request) -> Raw:
    """Signals [N, 1, 40] of ten classes. Raises UnusableData without the package."""
    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ImportError as error:
        right = "Install the extra: pip install 'nas-kd[mnist1d]'"
        raise UnusableData("data mnist1d", "needs the package mnist1d", right) from error

    def made(count: int, seed: int) -> dict[str, Any]:
        before = np.random.get_state()
        asked = get_dataset_args()
        asked.num_samples, asked.seed = count, SEED + seed
        try:
            return dict(make_dataset(asked))
        finally:
            np.random.set_state(before)

    whole = made(5_000, 2 * request.seed)
    extra = None
    if request.made:
        more = made(-(-request.made // 10) * 10, 2 * request.seed + 1)
        extra = signals(np.concatenate([more["x"], more["x_test"]]))[: request.made]
    return Raw(
        classes=tuple("0123456789"),
        train=Labelled(signals(whole["x"]), whole["y"].astype(np.int64)),
        test=Labelled(signals(whole["x_test"]), whole["y_test"].astype(np.int64)),
        unlabelled_NX=extra,
    )


def signals(values_NL: NDArray[Any]) -> NDArray[np.float32]:
    """[N, 1, L]."""
    return np.ascontiguousarray(values_NL[:, None], np.float32)


MNIST1D = Source(load=load, shift=2, fixed=True, unlabelled=True)
