"""digits: scikit-learn's 1,797 handwritten digits of 8x8, in the package; for tests and lessons."""

import numpy as np

from nas_kd.data.source import Labelled, Raw, Request, Source


def load(request: Request) -> Raw:
    """Pictures [1797, 1, 8, 8] with values 0 to 16; every split is cut from them."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = digits.images[:, None].astype(np.uint8)
    return Raw(classes=tuple("0123456789"), train=Labelled(images, digits.target.astype(np.int64)))


DIGITS = Source(load=load, shift=1, fixed=True)
