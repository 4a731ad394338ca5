"""What a data source gives, and how one is described.

Suffixes: N examples, X the shape of one: channels C and pixels H and W, channels and length L, or
features F.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.columns import Column, Table

Examples = NDArray[Any]
"""[N, *X], uint8 or float32, as the source has them; normalised later, along the first axis of X.

Pictures are [N, C, H, W], signals [N, C, L], tables [N, F].
"""

Labels = NDArray[np.int64]
"""[N], from 0 to classes - 1."""


Rows_N = NDArray[np.int64]
"""[N], the numbers of rows of the transfer set."""

UNLABELLED = -1
"""The label of an example that has none."""

READING = "reading "
"""What begins a line of how far a reading is; other lines say how data are understood."""

IMAGE_SIDE = 32
"""Pixels that a side of an imagefolder's pictures has, unless said."""


MOST_WORDS = 50
"""Features that a column of words has at most, unless said."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Examples with their classes."""

    examples_NX: Examples
    labels_N: Labels
    groups_N: NDArray[Any] | None = None
    """Examples with the same value are never parted between splits."""


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of a data source's `load` function."""

    root: Path
    seed: int = 0
    unlabelled: int | str = 0
    """How many unlabelled examples a source makes, or the place of the user's: imagefolder:PATH,
    npz:PATH, csv:PATH, parquet:PATH or module:function."""
    munge: float = 0.0
    """Synthetic rows of a table, for each of the transfer set."""
    teacher_classes: tuple[str, ...] = ()
    """The classes that the teacher tells apart, of data without labels; without any, the data have
    labels."""
    image_size: int = IMAGE_SIDE
    """Side of the square that pictures of any size are resized to."""
    channels: int | None = None
    """1 or 3 to have pictures grey or in colour; None decides by what they are."""
    layout: str = "auto"
    """How arrays are read: pictures, signals, table, or auto by their shape."""
    label: str | None = None
    """The column of a table that has the classes; None looks for one that is called so."""
    group: str | None = None
    """The column of a table whose values are never parted between splits."""
    drop: tuple[str, ...] = ()
    """Columns of a table that are not used."""
    drop_classes: tuple[str, ...] = ()
    """Classes whose examples are not used."""
    keep: tuple[str, ...] = ()
    """Columns of a table that are used although they would be left out."""
    validation: float | None = None
    """Share of the training examples that validation gets; None goes by their number."""
    words: int = MOST_WORDS
    """A column of words has so many features at most, for its commonest."""
    columns: tuple[Column, ...] = ()
    """The columns of a table that are features; without any, all but those above, and those that
    tell nothing."""
    tell: Callable[[str], None] = lambda text: None
    """Told how far a long reading is, and how data are understood."""

    @property
    def made(self) -> int:
        """How many unlabelled examples the source is to make."""
        return self.unlabelled if isinstance(self.unlabelled, int) else 0


ASKED = (
    "unlabelled",
    "munge",
    "teacher_classes",
    "image_size",
    "layout",
    "label",
    "group",
    "drop",
    "keep",
    "drop_classes",
    "words",
    "validation",
)
"""What a spec, and a package, says of its data under the same names."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file whose rows are a table."""

    kind: str
    """csv or parquet."""
    path: Path
    changed: int
    """When it was last changed before it was read, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Raw:
    """What a source gives. What it has no own split for is cut from `train`, stratified."""

    classes: tuple[str, ...]
    train: Labelled
    test: Labelled | None = None
    validation: Labelled | None = None
    teacher: Labelled | None = None
    """Examples for training a teacher; absent, the teacher gets the students' own."""
    unlabelled_NX: Examples | None = None
    labelled: bool = True
    """Whether the examples have classes; if not, all labels are UNLABELLED."""
    table: Table | None = None
    """What the columns of a table are, whose examples are still to be encoded."""
    files: tuple[TableFile, ...] = ()
    """The files that have a table's rows, one after the other."""
    numbers: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    """The numbers [N] of a split's examples in the source, where they do not count from 0."""
    ids: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    """What the source calls each example [N] of its splits, such as the path of a picture."""


@dataclass(frozen=True, slots=True)
class Source:
    """A named data set: how to load it, and which views keep its classes."""

    load: Callable[[Request], Raw]
    shift: int = 2
    """Views shift a picture by at most so many pixels."""
    flip: bool = False
    """Views may mirror a picture left to right."""
    fixed: bool = False
    """The same request always gives the same arrays, so a prepared copy may be used again."""
    stamp: Callable[[Request], str] | None = None
    """What changes whenever the files change, so that a prepared copy may be used until then."""
    unlabelled: bool = False
    """Makes as many unlabelled examples as are asked for."""
    columns: bool = False
    """Has columns that can be named: those of the classes and of the groups."""
