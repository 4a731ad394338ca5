"""Transfer sets: one source a file, splits, the on-disk form, views, and the record of signals."""

from functools import partial

from nas_kd.data import given, imagefolder, npz, table
from nas_kd.data.digits import DIGITS
from nas_kd.data.glyphs import GLYPHS
from nas_kd.data.mnist1d import MNIST1D
from nas_kd.data.source import Source
from nas_kd.data.vision import CIFAR10, CIFAR100, FASHION_MNIST, MNIST
from nas_kd.registry import Registry

SOURCES: Registry[Source] = Registry("data source")
SOURCES.update(
    {
        "glyphs": GLYPHS,
        "digits": DIGITS,
        "mnist": MNIST,
        "mnist1d": MNIST1D,
        "fashion-mnist": FASHION_MNIST,
        "cifar10": CIFAR10,
        "cifar100": CIFAR100,
    }
)
"""Data sources by name; `SOURCES["mine"] = MINE` adds one."""


def source_of(text: str) -> Source:
    """A source by its name, `imagefolder:PATH`, `npz:PATH`, `csv:PATH`, `parquet:PATH` or
    `module:function`.

    Raises UnknownName.
    """
    kind, _, rest = text.partition(":")
    if text in SOURCES or not rest:
        return SOURCES[text]
    if kind == "imagefolder":
        stamp = partial(imagefolder.stamp, folder=rest)
        return Source(partial(imagefolder.load, folder=rest), flip=True, stamp=stamp)
    if kind == "npz":
        load_npz = partial(npz.from_npz, path=rest)
        return Source(load_npz, stamp=partial(npz.stamp, path=rest))
    if kind in ("csv", "parquet"):
        load_table = partial(table.load, path=rest, kind=kind)
        return Source(load_table, stamp=partial(npz.stamp, path=rest), columns=True)
    return Source(partial(given.from_function, target=text))
