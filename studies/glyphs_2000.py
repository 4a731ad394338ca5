"""glyphs with 2,000 labels: the teacher has its own 20,000, and 18,000 more have none."""

from typing import Any

from nas_kd.data.glyphs import pictures


def labelled() -> dict[str, Any]:
    """The labelled part alone."""
    sizes = {"teacher": 20_000, "train": 2_000, "validation": 4_000, "test": 10_000}
    return {name: pictures(size, seed=number) for number, (name, size) in enumerate(sizes.items())}


def with_unlabelled() -> dict[str, Any]:
    """The same, and pictures without labels."""
    return labelled() | {"unlabelled": pictures(18_000, seed=9)[0]}
