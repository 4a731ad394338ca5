"""Faults of the data: copies across splits, groups that are parted, classes that are rare.

Suffixes: N examples, C classes, X the shape of one example, H and W pixels.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import PurePath

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import adaptive_avg_pool2d

from nas_kd.check.finding import Fact, Finding, Severity
from nas_kd.data.classes import doubts
from nas_kd.data.columns import column_in_words
from nas_kd.data.origin import SPLITS
from nas_kd.data.overlap import COPIES, exact
from nas_kd.data.transfer import Rows, TransferSet, shape_in_words, size

MOST_COLUMNS = 60
"""So many columns of a table are told one by one."""

ALIKE = 0.02
"""Thumbnails that differ by less than this share of the range are of the same picture."""

CLOSE = 0.05
"""Such pictures are the same if their pixels, too, differ by less than this share of the range."""

PARTED = 0.2
"""Groups are taken for parted where so many judged examples share their name with a train one."""


def of_examples(data: TransferSet) -> Iterator[Fact | Finding]:
    """Everything that can be said of the data alone."""
    yield Fact(
        "data",
        f"{size(data.train):,} examples for the students, {size(data.validation):,} validation, "
        f"{size(data.test):,} test; {shape_in_words(data.input_shape)}, "
        f"{len(data.classes)} classes",
    )
    for note in data.notes:
        yield Fact("data", note)
    for column in data.columns[:MOST_COLUMNS]:
        yield Fact("column", column_in_words(column))
    if more := data.columns[MOST_COLUMNS:]:
        yield Fact("column", f"and {len(more):,} more")
    for about, wrong, mend in doubts(data):
        yield Finding(about, wrong, "doubtful", mend)
    yield from copies(data)
    yield from parted(data)


def copies(data: TransferSet) -> Iterator[Finding]:
    """Examples that are in two splits: exactly, or, of pictures, nearly."""
    examples_NX = data.examples.open()
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    marks = {name: exact(examples_NX[slice(*rows)]) for name, rows in splits.items()}
    sides = len(data.input_shape) - 1
    for one, other in combinations(splits, 2):
        known = set(marks[one])
        shared = sum(mark in known for mark in marks[other])
        if shared > COPIES[sides] * size(splits[other]):
            yield copied(one, other, shared, size(splits[other]), "the same as", sides)
    if sides == 2:
        yield from near_copies(examples_NX, splits, marks)


def copied(one: str, other: str, count: int, of: int, how: str, sides: int) -> Finding:
    """The finding that examples of a split are in another."""
    bad: Severity = "wrong" if count > 0.01 * of else "doubtful"
    do = "Remove them from one of the splits; accuracy there is too high."
    if sides == 0:
        do = "If rows belong together, keep them in one split with --group COLUMN."
    return Finding(
        "splits", f"{count:,} of {of:,} {other} examples are {how} {one} examples", bad, do
    )


def near_copies(
    examples_NX: NDArray[np.generic], splits: Mapping[str, Rows], marks: Mapping[str, list[bytes]]
) -> Iterator[Finding]:
    """Pictures of a split whose thumbnail is that of a picture in another."""
    every = thumbnails(examples_NX)
    span = max(float(examples_NX.max()) - float(examples_NX.min()), 1e-9)
    thumbs = {name: every[slice(*rows)] for name, rows in splits.items()}
    for one, other in combinations(splits, 2):
        rows: dict[bytes, list[int]] = {}
        for row, mark in enumerate(hashed(thumbs[one])):
            rows.setdefault(mark, []).append(row)
        known, count = set(marks[one]), 0
        for row, mark in enumerate(hashed(thumbs[other])):
            if marks[other][row] in known or mark not in rows:
                continue
            off_N = np.sqrt(((thumbs[one][rows[mark]] - thumbs[other][row]) ** 2).mean((1, 2)))
            if off_N.min() < ALIKE:
                nearest = splits[one][0] + rows[mark][int(off_N.argmin())]
                pair = examples_NX[[nearest, splits[other][0] + row]].astype(np.float64)
                count += bool(np.sqrt(((pair[0] - pair[1]) ** 2).mean()) < CLOSE * span)
        if count:
            of = len(thumbs[other])
            yield copied(one, other, count, of, "nearly the same picture as", sides=2)


def thumbnails(examples_NCHW: NDArray[np.generic]) -> NDArray[np.float32]:
    """Each picture in 8x8 greys from 0 to 1 [N, 8, 8]."""
    parts = []
    for first in range(0, len(examples_NCHW), 2048):
        piece = torch.from_numpy(examples_NCHW[first : first + 2048].astype(np.float32))
        parts.append(adaptive_avg_pool2d(piece.mean(1, keepdim=True), 8)[:, 0])
    small = torch.cat(parts)
    low, high = small.min(), small.max()
    scaled: NDArray[np.float32] = ((small - low) / max(float(high - low), 1e-9)).numpy()
    return scaled


def hashed(thumbs_NHW: NDArray[np.float32]) -> list[bytes]:
    """One bit a pixel: whether it is lighter than the picture's mean."""
    bits = thumbs_NHW > thumbs_NHW.mean((1, 2), keepdims=True)
    return [np.packbits(one).tobytes() for one in bits]


def parted(data: TransferSet) -> Iterator[Finding]:
    """Files of one heap of which several have one name but for a number, and lie in several
    splits."""
    if data.origin.ids is None:
        return
    heap_N = data.origin.rows.open()[:, 0] == SPLITS.index("train")
    names = [
        re.sub(r"[\s_.-]*\(?\d+\)?$", "", PurePath(name).stem) for name in data.origin.ids.open()
    ]
    stems_N = np.array(names)
    counts = Counter(stems_N[heap_N].tolist())
    if len(counts) <= 3 * len(data.classes) or heap_N.sum() < 2 * len(counts):
        return
    train = set(stems_N[slice(*data.train)])
    judged = [slice(*data.validation), slice(*data.test)]
    judged_N = np.concatenate([stems_N[rows][heap_N[rows]] for rows in judged])
    share = float(np.mean([stem in train for stem in judged_N])) if len(judged_N) else 0.0
    if share > PARTED:
        example = counts.most_common(1)[0][0]
        yield Finding(
            "splits",
            f"{share:.0%} of the judged files have the name of a train file but for a number "
            f"({example!r} has {counts[example]}): pictures that belong together look parted",
            "doubtful",
            "Lay the files out as FOLDER/train, FOLDER/val and FOLDER/test with each group in one.",
        )
