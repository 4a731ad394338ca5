"""mnist, fashion-mnist, cifar10 and cifar100, read or downloaded by torchvision."""

from functools import partial
from typing import Any

import numpy as np

from nas_kd.data.source import Labelled, Raw, Request, Source
from nas_kd.errors import UnusableData


def arrays(dataset: Any) -> Labelled:
    """A torchvision data set's pictures [N, C, H, W] and labels [N]."""
    images = np.asarray(dataset.data)
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return Labelled(np.ascontiguousarray(images), np.asarray(dataset.targets, np.int64))


def load(request: Request, *, name: str) -> Raw:
    """The set's own train and test split, from the files under the root or by download.

    Raises UnusableData where the files are not there and cannot be fetched.
    """
    from torchvision import datasets

    kind = getattr(datasets, name)
    try:
        try:
            train = kind(request.root, train=True, download=False)
        except RuntimeError:
            train = kind(request.root, train=True, download=True)
        test = kind(request.root, train=False, download=False)
    except Exception as error:
        raise UnusableData(
            f"data {name}",
            f"is not under {request.root} and could not be downloaded ({error})",
            "Name the folder that holds it with --data-root, or connect to a network.",
        ) from error
    return Raw(classes=tuple(train.classes), train=arrays(train), test=arrays(test))


MNIST = Source(load=partial(load, name="MNIST"), fixed=True)
FASHION_MNIST = Source(load=partial(load, name="FashionMNIST"), flip=True, fixed=True)
CIFAR10 = Source(load=partial(load, name="CIFAR10"), shift=4, flip=True, fixed=True)
CIFAR100 = Source(load=partial(load, name="CIFAR100"), shift=4, flip=True, fixed=True)
