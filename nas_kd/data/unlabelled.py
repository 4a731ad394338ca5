"""Examples of the user's without labels, in the form of the data: `--unlabelled` a folder of
pictures, an .npz, or a function; rows of a table are read with the table (`table.py`).

Suffixes: N examples, X the shape of one.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas_kd.data import imagefolder
from nas_kd.data.given import FORMS, array_of, is_array, is_set, read_dataset
from nas_kd.data.imagefolder import SUFFIXES, counting, id_of, read, walk
from nas_kd.data.layout import arranged
from nas_kd.data.npz import arrays_of, stamp
from nas_kd.data.source import UNLABELLED, Examples, Labelled, Raw, Request
from nas_kd.errors import NasKDError, UnusableData
from nas_kd.registry import imported

NAMES = ("unlabelled", "x", "images", "data")
"""The arrays of an .npz that are looked for, in order."""


def with_unlabelled(raw: Raw, request: Request) -> Raw:
    """The data with further examples without labels, which are counted aloud. Raises
    UnusableData."""
    place = request.unlabelled
    if isinstance(place, int) or raw.table is not None:
        return raw
    kind, _, rest = place.partition(":")
    given = f"unlabelled {place}"
    ids = None
    if kind == "imagefolder":
        more_NX, ids = pictures(Path(rest).expanduser(), raw, request, given)
    elif kind == "npz":
        more_NX = from_npz(Path(rest).expanduser(), request, given)
    elif kind in ("csv", "parquet"):
        right = "Name a folder of pictures or an .npz of arrays."
        raise UnusableData(given, "is a table, and the data are none", right)
    else:
        more_NX = from_function(place, request, given)
    expect_form(more_NX, raw, given)
    before = raw.unlabelled_NX
    count = 0 if before is None else len(before)
    request.tell(f"{len(more_NX):,} unlabelled examples from {place}")
    named = {} if ids is None else {"unlabelled": np.concatenate([np.full(count, ""), ids])}
    return replace(
        raw,
        unlabelled_NX=more_NX if before is None else np.concatenate([before, more_NX]),
        ids=dict(raw.ids) | named if raw.ids else raw.ids,
    )


def stamp_of(request: Request) -> str | None:
    """What changes whenever the files of the user's unlabelled examples change; None where that
    cannot be known, as of a function."""
    if isinstance(request.unlabelled, int):
        return ""
    kind, _, rest = request.unlabelled.partition(":")
    if kind == "imagefolder":
        return imagefolder.stamp(request, folder=rest)
    return stamp(request, path=rest) if kind in ("npz", "csv", "parquet") else None


def expect_form(more_NX: Examples, raw: Raw, given: str) -> None:
    """Raise UnusableData for examples of another form than the data's."""
    form, mine = ((x.shape[1:], str(x.dtype)) for x in (more_NX, raw.train.examples_NX))
    if form != mine:
        wrong = f"has examples {form[0]} {form[1]}, and those of the data are {mine[0]} {mine[1]}"
        raise UnusableData(given, wrong, "Give both in one form.")
    if not len(more_NX):
        raise UnusableData(given, "has no examples", "Leave it out, or fill it.")


def pictures(
    folder: Path, raw: Raw, request: Request, given: str
) -> tuple[Examples, NDArray[np.str_]]:
    """Every picture in a folder, at any depth, made as those of the data are, and its path there.

    Raises UnusableData.
    """
    channels, *sides = raw.train.examples_NX.shape[1:]
    square = len(sides) == 2 and sides[0] == sides[1] and channels in (1, 3)
    if not square or raw.train.examples_NX.dtype != np.uint8:
        form = f"{raw.train.examples_NX.dtype} of shape {(channels, *sides)}"
        wrong = f"is a folder of pictures, and the data are {form}"
        raise UnusableData(given, wrong, "Give an .npz of such examples.")
    if not folder.is_dir():
        raise UnusableData(given, "is no folder", "Name a folder of pictures.")
    every = [path for path in walk(folder) if path.is_file()]
    paths = [path for path in every if path.suffix.lower() in SUFFIXES]
    if other := len(every) - len(paths):
        request.tell(f"not read, no pictures by their names, in {folder}: {other:,}")
    changes: Counter[str] = Counter()
    tell = counting(request.tell, len(paths))
    mode = "L" if channels == 1 else "RGB"
    found = read([(path, UNLABELLED) for path in paths], mode, sides[0], tell, changes)
    for change, count in changes.most_common():
        request.tell(f"{count:,} unlabelled pictures {change}")
    return found.examples_NX, np.array([id_of(path, str(folder)) for path in paths])


def from_npz(file: Path, request: Request, given: str) -> Examples:
    """The one array of an .npz that has examples. Raises UnusableData."""
    arrays = arrays_of(file, given, "Save it with numpy.savez(FILE, unlabelled=examples).")
    named = [name for name in NAMES if name in arrays] or list(arrays)
    if not named or (named[0] not in NAMES and len(named) > 1):
        wrong = f"has the arrays {', '.join(arrays) or 'none'}"
        raise UnusableData(given, wrong, "Call the one with the examples `unlabelled`.")
    if left := [name for name in arrays if name != named[0]]:
        request.tell(f"not used, of {file.name}: {', '.join(left)}")
    return arranged(arrays[named[0]], request.layout, given, request.tell)


def from_function(target: str, request: Request, given: str) -> Examples:
    """What `module:function` returns: an array, a pair (X, y) whose y is not used, or a Dataset.

    Raises UnusableData.
    """
    module, _, function = target.partition(":")
    try:
        found = getattr(imported(module), function)()
    except NasKDError:
        raise
    except Exception as error:
        right = "It must be an importable function without arguments that returns an array."
        wrong = f"cannot be called ({type(error).__name__}: {error})"
        raise UnusableData(given, wrong, right) from error
    if isinstance(found, tuple) and len(found) == 2 and is_array(found[0]):
        found = found[0]
    if not is_array(found):
        if not is_set(found):
            raise UnusableData(given, f"gives {type(found).__name__}", FORMS)
        found = read_dataset(found, given, request.tell)[0]
    return arranged(array_of(found, given), request.layout, given, request.tell)


def without_labels(raw: Raw, classes: tuple[str, ...]) -> Raw:
    """The data without their labels: the teacher tells these classes apart. What is unlabelled
    anyway stays; a part for training teachers is dropped."""

    def bare(part: Labelled | None) -> Labelled | None:
        if part is None:
            return None
        return replace(part, labels_N=np.full(len(part.labels_N), UNLABELLED, np.int64))

    train = bare(raw.train)
    assert train is not None
    return replace(
        raw, classes=classes, train=train, validation=bare(raw.validation), test=bare(raw.test),
        teacher=None, labelled=False,
    )  # fmt: skip
