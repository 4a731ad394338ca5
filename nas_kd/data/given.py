"""Arrays and Datasets as people have them: module:function, npz:PATH, or objects from Python.

Everything ends as examples, channels first, and integer labels [N]; each example is read once.
Classes of other names than 0, 1, 2 are numbered, and keep their names. What nas-kd is not for
(detection, several labels, text) is an error that says so.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.dense import dense
from nas_kd.data.imagefolder import counting
from nas_kd.data.layout import arranged
from nas_kd.data.source import Labelled, Raw, Request
from nas_kd.errors import NasKDError, UnusableData
from nas_kd.registry import imported

PURPOSE = "nas-kd is for classifiers: one class for each example, a whole number or a word."
FORMS = (
    "Give (X, y) arrays, a Dataset of (x, y), (train, test), or a dict with the keys train, and "
    "if there are any, validation, test, teacher and unlabelled."
)

KEYS = ("train", "validation", "test", "teacher", "unlabelled")


def from_function(request: Request, *, target: str) -> Raw:
    """What `module:function` returns. Raises UnusableData."""
    module, _, function = target.partition(":")
    given = f"data {target!r}"
    try:
        found = getattr(imported(module), function)()
    except NasKDError:
        raise
    except Exception as error:
        right = f"It must be an importable function without arguments. {FORMS}"
        wrong = f"cannot be called ({type(error).__name__}: {error})"
        raise UnusableData(given, wrong, right) from error
    return raw_of(found, given, request.tell, request.layout, bool(request.teacher_classes))


def raw_of(
    found: Any, given: str, tell: Callable[[str], None], layout: str = "auto", alone: bool = False
) -> Raw:
    """Any of the forms as splits; examples may also come `alone`, without labels. Raises
    UnusableData."""
    parts = named(found, given)
    extra = parts.pop("unlabelled", None)
    read = {
        name: bare(part, f"{given}, {name}") if is_array(part) and alone
        else labelled(part, f"{given}, {name}", tell)
        for name, part in parts.items()
    }  # fmt: skip
    classes, labels = numbered(parts["train"], read, given, tell)
    arrays: dict[str, Any] = {
        name: Labelled(arranged(part.examples_NX, layout, given, tell), labels[name])
        for name, part in read.items()
    }
    if extra is not None:
        there = is_set(extra) and not is_array(extra)
        images = read_dataset(extra, given, tell)[0] if there else array_of(extra, given)
        arrays["unlabelled_NX"] = arranged(images, layout, given)
    return Raw(classes=classes, **arrays)


def bare(part: Any, given: str) -> Labelled:
    """Examples alone, all of one class, which is not used. Raises UnusableData."""
    examples_NX = array_of(part, given)
    return Labelled(examples_NX, np.zeros(len(examples_NX), np.int64))


def array_of(found: Any, given: str) -> NDArray[Any]:
    """An array with at least one axis. Raises UnusableData."""
    array = dense(found, given)
    if array.ndim == 0:
        raise UnusableData(given, "has a single value where examples should be", FORMS)
    return array


def named(found: Any, given: str) -> dict[str, Any]:
    """The parts by their names."""
    if isinstance(found, Mapping):
        if "train" not in found or set(found) - set(KEYS):
            wrong = f"gives a dict with the keys {', '.join(map(str, found)) or 'none'}"
            raise UnusableData(given, wrong, FORMS)
        return dict(found)
    if isinstance(found, tuple) and len(found) == 2 and is_set(found[0]) and is_set(found[1]):
        return {"train": found[0], "test": found[1]}
    return {"train": found}


def is_array(found: Any) -> bool:
    """Whether this is a numpy array or a tensor, or a list of numbers."""
    numbers = isinstance(found, list) and bool(found) and not isinstance(found[0], tuple)
    return numbers or hasattr(found, "__array__") or hasattr(found, "toarray")


def is_set(found: Any) -> bool:
    """Whether this is a map-style Dataset or a pair of arrays."""
    pair = isinstance(found, tuple) and len(found) == 2 and is_array(found[0])
    return pair or (hasattr(found, "__getitem__") and hasattr(found, "__len__")
                    and not is_array(found) and not isinstance(found, tuple | str))  # fmt: skip


def labelled(part: Any, given: str, tell: Callable[[str], None]) -> Labelled:
    """One split as arrays. Raises UnusableData."""
    if isinstance(part, tuple) and len(part) == 2 and is_array(part[0]):
        images, labels = array_of(part[0], given), array_of(part[1], given)
    elif is_set(part):
        images, labels = read_dataset(part, given, tell)
    else:
        raise UnusableData(given, f"gives {type(part).__name__}", FORMS)
    if len(images) != len(labels):
        raise UnusableData(given, f"has {len(images)} examples and {len(labels)} labels", FORMS)
    return Labelled(images, labels_of(labels, given))


def read_dataset(
    part: Any, given: str, tell: Callable[[str], None]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Every example of a Dataset, read once; the first few twice, to notice random transforms."""
    if len(part) == 0:
        raise UnusableData(given, "is empty", FORMS)
    for index in range(min(4, len(part))):
        first, second = (pixels(example(part, index, given)[0], given) for _ in range(2))
        if first.shape == second.shape and not np.array_equal(first, second):
            raise UnusableData(
                given,
                f"gives another picture when example {index} is read again: a random transform",
                "Take it out: each example is read once. For shifts and flips set views = 9.",
            )
    count = counting(tell, len(part))
    images, labels = [], []
    for index in range(len(part)):
        x, y = example(part, index, given)
        images.append(pixels(x, given))
        labels.append(y)
        count()
    if len(shapes := {image.shape for image in images}) > 1:
        right = "Resize them in the Dataset, or use imagefolder:PATH, which resizes."
        raise UnusableData(given, f"has examples of {len(shapes)} shapes", right)
    return np.stack(images), label_array(labels, given)


def example(part: Any, index: int, given: str) -> tuple[Any, Any]:
    """One example as (x, y). Raises UnusableData."""
    try:
        found = part[index]
    except Exception as error:
        wrong = f"fails at example {index} ({type(error).__name__}: {error})"
        raise UnusableData(given, wrong, PURPOSE) from error
    if not isinstance(found, tuple | list) or len(found) != 2:
        wrong = f"gives {type(found).__name__} for an example, not (x, y)"
        raise UnusableData(given, wrong, PURPOSE)
    return found[0], found[1]


def pixels(x: Any, given: str) -> NDArray[Any]:
    """One picture as an array."""
    if isinstance(x, str | bytes):
        raise UnusableData(given, "has text", PURPOSE)
    array = dense(x, given)
    if array.dtype.kind not in "uifb":
        raise UnusableData(given, f"has examples of type {type(x).__name__}", PURPOSE)
    return array


def label_array(labels: Sequence[Any], given: str) -> NDArray[Any]:
    """Labels as one array. Raises UnusableData where they are no single numbers."""
    if any(isinstance(label, dict) for label in labels):
        raise UnusableData(given, "has dicts as labels, as for detection (boxes)", PURPOSE)
    try:
        return np.array([dense(label, given) for label in labels])
    except ValueError:
        raise UnusableData(given, "has labels of several lengths (boxes?)", PURPOSE) from None


def labels_of(labels: NDArray[Any], given: str) -> NDArray[Any]:
    """Whole numbers or words [N]. Raises UnusableData saying what they are instead."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        kind = "one-hot or several labels" if labels.ndim == 2 else "boxes or masks"
        wrong = f"has labels of shape {labels.shape} ({kind})"
        raise UnusableData(given, wrong, f"One-hot: give y.argmax(1). {PURPOSE}")
    if labels.dtype.kind in "USO" and all(isinstance(label, str | bytes) for label in labels):
        try:
            return np.array([x.decode() if isinstance(x, bytes) else str(x) for x in labels])
        except UnicodeDecodeError as error:
            raise UnusableData(given, f"has labels that are no text ({error})", PURPOSE) from None
    try:
        whole = labels.astype(np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        wrong = f"has labels of several kinds, or beyond 64 bits ({error})"
        raise UnusableData(given, wrong, PURPOSE) from error
    if not np.array_equal(whole, labels):
        raise UnusableData(given, "has labels that are no integers", PURPOSE)
    return whole


def numbered(
    train: Any, read: Mapping[str, Labelled], given: str, tell: Callable[[str], None]
) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]]]:
    """The classes' names, and each split's labels [N] as numbers from 0.

    Raises UnusableData for a class that the train split does not have.
    """
    if len(read["train"].labels_N) == 0:
        raise UnusableData(given, "has no training examples", FORMS)
    values = np.unique(read["train"].labels_N)
    if np.array_equal(values, np.arange(len(values))):
        named = tuple(map(str, getattr(train, "classes", None) or ()))
        if named and len(named) != len(values):
            tell(
                f"the {len(named)} names in .classes are not used: there are {len(values)} classes"
            )
        classes = named if len(named) == len(values) else tuple(map(str, values))
        return classes, {name: part.labels_N for name, part in read.items()}
    found = {}
    for name, part in read.items():
        places = np.searchsorted(values, part.labels_N).clip(max=len(values) - 1)
        if strange := sorted({*part.labels_N[values[places] != part.labels_N].tolist()}, key=str):
            wrong = f"has the class {strange[0]!r} in {name} only"
            right = f"Its classes must be those of train: {', '.join(map(str, values[:12]))}."
            raise UnusableData(given, wrong, right)
        found[name] = places.astype(np.int64)
    more = ", ..." * (len(values) > 12)
    tell(f"the classes {', '.join(map(str, values[:12]))}{more} are numbered from 0")
    return tuple(map(str, values)), found
