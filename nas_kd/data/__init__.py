"""Transfer sets: one source a file, splits, the on-disk form, views, and the record of signals."""

from nas_kd.data.digits import DIGITS
from nas_kd.data.glyphs import GLYPHS
from nas_kd.data.source import Source
from nas_kd.data.vision import CIFAR10, CIFAR100, FASHION_MNIST, MNIST
from nas_kd.registry import Registry

SOURCES: Registry[Source] = Registry("data source")
SOURCES.update(
    {
        "glyphs": GLYPHS,
        "digits": DIGITS,
        "mnist": MNIST,
        "fashion-mnist": FASHION_MNIST,
        "cifar10": CIFAR10,
        "cifar100": CIFAR100,
    }
)
"""Data sources by name; `SOURCES["mine"] = MINE` adds one."""
