"""npz:PATH, arrays of numpy under the names that people use; and keeping arrays that came from
Python as one.

Suffixes: N examples, X the shape of one.
"""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.arrays import content
from nas_kd.data.given import raw_of
from nas_kd.data.source import Raw, Request
from nas_kd.errors import UnusableData
from nas_kd.files import replace as write_file

PAIRS = (("x", "y"), ("images", "labels"), ("data", "targets"))
"""How images and labels are named in an .npz."""

SPLITS = {
    "train": ("", "_train"),
    "validation": ("_val", "_valid", "_validation"),
    "test": ("_test",),
    "teacher": ("_teacher",),
}
"""What is put behind them, or before with the line on the other side, for each split."""

DAMAGED = (
    OSError, ValueError, EOFError, TypeError, RuntimeError, BadZipFile, zlib.error, MemoryError,
)  # fmt: skip
"""What reading a file that is no whole .npz ends with, or one that claims more than memory has."""


def from_npz(request: Request, *, path: str) -> Raw:
    """The arrays of an .npz: X and y, or x_train, y_train, x_test, y_test. Raises UnusableData."""
    given = f"data npz:{path}"
    right = (
        "Save it with numpy.savez(FILE, X=images, y=labels), or x_train, y_train, x_test, y_test. "
        "Without labels, a teacher of yours says them: --teacher-classes NUMBER."
    )
    arrays = arrays_of(Path(path).expanduser(), given, right)
    pairs, used = find_pairs(arrays)
    alone = bool(request.teacher_classes)
    if alone:
        pairs, used = find_examples(arrays)
    if "train" not in pairs:
        raise UnusableData(given, f"has the arrays {', '.join(arrays) or 'none'}", right)
    unused = sorted(set(arrays) - used - {"classes", "unlabelled"})
    if unused and alone:
        request.tell(f"not used, since the data are to have no labels: {', '.join(unused)}")
    elif unused:
        wrong = f"has arrays that mean nothing here: {', '.join(unused)}"
        raise UnusableData(given, wrong, right)
    if "unlabelled" in arrays:
        pairs["unlabelled"] = arrays["unlabelled"]
    raw = raw_of(pairs, given, request.tell, request.layout, alone)
    return (
        raw
        if alone or "classes" not in arrays
        else with_names(raw, arrays["classes"], pairs, given)
    )


def arrays_of(path: Path, given: str, right: str) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz, by their names in small letters. Raises UnusableData."""
    if path.exists() and not path.is_file():
        raise UnusableData(given, "is no file", right)
    try:
        with path.open("rb") as file, np.load(file) as opened:
            arrays = {name.lower(): opened[name] for name in opened.files}
            twice = len(arrays) < len(opened.files)
    except DAMAGED as error:
        raise UnusableData(given, f"cannot be read ({error})", right) from error
    if twice:
        wrong = "has arrays whose names differ by capital letters alone"
        raise UnusableData(given, wrong, "Save each under a name of its own.")
    return arrays


def with_names(raw: Raw, names: NDArray[Any], pairs: Mapping[str, Any], given: str) -> Raw:
    """The data with the classes called so. Raises UnusableData where there are not as many, or
    where the labels are words of their own."""
    called = tuple(map(str, np.atleast_1d(names).tolist()))
    if np.ndim(names) != 1 or len({*called}) != len(called) or len(called) != len(raw.classes):
        wrong = f"has {len(raw.classes)} classes, and `classes` has {', '.join(called) or 'none'}"
        raise UnusableData(given, wrong, "Give one name for each, in the order of the numbers.")
    words = np.asarray(pairs["train"][1]).dtype.kind in "USO"
    if words and {*called} != {*raw.classes}:
        wrong = f"has the classes {', '.join(raw.classes[:12])}, and `classes` names others"
        raise UnusableData(given, wrong, "Leave it out: labels that are words name themselves.")
    return raw if words else replace(raw, classes=called)


def to_npz(raw: Raw, folder: Path, name: str = "data") -> Path:
    """Keep arrays that came from Python as an .npz of this name, in a folder of what is in it."""
    parts = {name: getattr(raw, name) for name in SPLITS if getattr(raw, name) is not None}
    arrays: dict[str, Any] = {"classes": np.array(raw.classes)}
    for split, part in parts.items():
        arrays |= {f"x_{split}": part.examples_NX, f"y_{split}": part.labels_N}
    if raw.unlabelled_NX is not None:
        arrays["unlabelled"] = raw.unlabelled_NX
    hashes = {name: content(array) for name, array in arrays.items() if name != "classes"}
    key = hashlib.sha256(repr((hashes, raw.classes)).encode()).hexdigest()[:16]
    path = folder / "given" / key / f"{name}.npz"
    if not path.exists():
        write_file(path, lambda file: np.savez(file, **arrays))
    return path


def stamp(request: Request, *, path: str) -> str:
    """The file's place, size and time."""
    file = Path(path).expanduser()
    facts = file.stat() if file.exists() else None
    return repr((str(file.resolve()), facts and (facts.st_size, facts.st_mtime_ns)))


def find_pairs(arrays: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Images and labels of each split, under the names that people use, and the names used."""
    pairs: dict[str, Any] = {}
    used: set[str] = set()
    for split, names in SPLITS.items():
        for x, y in PAIRS:
            for name in names:
                for first, second in (
                    (x + name, y + name),
                    (name[1:] + "_" + x, name[1:] + "_" + y),
                ):
                    if split not in pairs and first in arrays and second in arrays:
                        pairs[split] = (arrays[first], arrays[second])
                        used |= {first, second}
    return pairs, used


def find_examples(arrays: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The images of each split, under the names that people use, and the names used."""
    found: dict[str, Any] = {}
    used: set[str] = set()
    for split, names in SPLITS.items():
        for x in (first for first, _ in PAIRS):
            for name in names:
                for first in (x + name, name[1:] + "_" + x):
                    if split not in found and first in arrays and split != "teacher":
                        found[split] = arrays[first]
                        used |= {first}
    return found, used
