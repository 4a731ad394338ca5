"""What a data source gives, and how one is described.

Suffixes: N examples, C channels, H and W pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[Any]
"""[N, C, H, W], uint8 or float32, as the source has them; normalised later."""

Labels = NDArray[np.int64]
"""[N], from 0 to classes - 1."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Examples with their classes."""

    images_NCHW: Images
    labels_N: Labels


@dataclass(frozen=True, slots=True)
class Request:
    """What a source is asked for."""

    root: Path
    seed: int = 0
    unlabelled: int = 0
    image_size: int = 32
    """Side of the square that pictures of any size are resized to."""
    channels: int | None = None
    """1 or 3 to have pictures grey or in colour; None decides by what they are."""
    tell: Callable[[str], None] = lambda text: None
    """Told how far a long reading is."""


@dataclass(frozen=True, slots=True)
class Raw:
    """What a source gives. What it has no own split for is cut from `train`, stratified."""

    classes: tuple[str, ...]
    train: Labelled
    test: Labelled | None = None
    validation: Labelled | None = None
    teacher: Labelled | None = None
    """Examples for training a teacher; absent, the teacher gets the students' own."""
    unlabelled_NCHW: Images | None = None


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
    """Can give unlabelled examples."""
