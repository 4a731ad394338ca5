"""Leaving out the examples of some classes, such as those that are too few to be split.

Suffix: N examples.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nas_kd.data.source import Labelled, Raw
from nas_kd.data.splits import expect_form, expect_labels
from nas_kd.errors import UnusableData, suggestion

PARTS = ("train", "validation", "test", "teacher")


def without(raw: Raw, names: Sequence[str], tell: Callable[[str], None]) -> Raw:
    """The data without the examples of these classes, whose number is said. Raises UnusableData for
    a class that is none."""
    if not names:
        return raw
    for name in names:
        if name not in raw.classes:
            right = f"{suggestion(name, raw.classes)} Its classes: {', '.join(raw.classes[:20])}."
            raise UnusableData(f"drop_classes {name!r}", "is no class of the data", right.strip())
    given = "the data"
    expect_form(given, raw)
    expect_labels(given, raw)
    if len(raw.classes) - len({*names}) < 2:
        wrong = f"leaves out all but {len(raw.classes) - len({*names})} of the classes"
        raise UnusableData(f"drop_classes = {', '.join(names)}", wrong, "Keep two, or more.")
    kept = [number for number, name in enumerate(raw.classes) if name not in names]
    place = np.full(len(raw.classes), -1)
    place[kept] = np.arange(len(kept))
    changed: dict[str, Any] = {}
    numbers, ids, left = dict(raw.numbers), dict(raw.ids), 0
    for split in PARTS:
        part: Labelled | None = getattr(raw, split)
        if part is None:
            continue
        rows_N = np.flatnonzero(place[part.labels_N] >= 0)
        left += len(part.labels_N) - len(rows_N)
        groups_N = None if part.groups_N is None else part.groups_N[rows_N]
        changed[split] = Labelled(part.examples_NX[rows_N], place[part.labels_N[rows_N]], groups_N)
        numbers[split] = numbers[split][rows_N] if split in numbers else rows_N
        if split in ids:
            ids[split] = ids[split][rows_N]
    tell(f"left out, examples of {', '.join(map(repr, names))}: {left:,}")
    classes = tuple(raw.classes[number] for number in kept)
    return replace(raw, classes=classes, numbers=numbers, ids=ids, **changed)
