"""mnist1d is made by its own package."""

from pathlib import Path

import numpy as np

from nas_kd.data import SOURCES
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare, size


def test_mnist1d_is_the_published_set_with_as_many_unlabelled_signals_as_asked(
    tmp_path: Path,
) -> None:
    before = np.random.get_state()[1][0]
    data = prepare("mnist1d", SOURCES["mnist1d"], Request(tmp_path, unlabelled=123), cache=tmp_path)
    assert data.input_shape == (1, 40)
    assert (size(data.labelled), size(data.validation), size(data.test)) == (3600, 400, 1000)
    assert size(data.train) == 3600 + 123
    assert np.random.get_state()[1][0] == before
    plain = SOURCES["mnist1d"].load(Request(tmp_path))
    first = plain.train.examples_NX[0, 0, :3]
    assert np.allclose(
        first, SOURCES["mnist1d"].load(Request(tmp_path)).train.examples_NX[0, 0, :3]
    )
