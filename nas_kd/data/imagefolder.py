"""imagefolder:PATH, a folder of pictures of any size and mode, one subfolder a class.

Where PATH has the subfolders train (or training) and, if there are any, val (or valid, validation)
and test (or testing), in letters of any case, these are the splits; else the splits are cut from
all pictures. Every picture is read once, resized to one square, and grey only if all are; what is
transparent is put on white. Links are followed. Files that are no pictures by their names are
counted and said; hidden ones, and those of archives and network disks, are ignored.
"""

import hashlib
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.arrays import PIECE, pieces, release, room
from nas_kd.data.pictures import picture
from nas_kd.data.source import READING, Labelled, Raw, Request
from nas_kd.errors import UnusableData
from nas_kd.files import expect_utf8

if TYPE_CHECKING:
    pass

SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm",
    ".pgm",
}  # fmt: skip
NOBODYS = {"__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini"}
"""What archives, network disks and file managers leave behind; nobody's pictures."""
SPLITS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
GREY = {"1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F"}
LAYOUT = "Lay it out as FOLDER/CLASS/picture.jpg, or FOLDER/train/CLASS/picture.jpg."


def load(request: Request, *, folder: str) -> Raw:
    """The pictures of a folder, [N, C, size, size] uint8. Raises UnusableData naming the file."""
    classes, files, given = listing(folder, not request.teacher_classes)
    counts = np.bincount([label for _, label in files["train"]], minlength=len(classes))
    if counts.min() == 0:
        empty = classes[int(counts.argmin())]
        raise UnusableData(given, f"has no pictures of class {empty!r}", LAYOUT)
    every = [path for part in files.values() for path, _ in part]
    grey = all_grey(every) if request.channels is None else request.channels == 1
    mode = "L" if grey else "RGB"
    for text in unused(folder, every):
        request.tell(text)
    tell = counting(request.tell, len(every))
    changes: Counter[str] = Counter()
    parts = {s: read(part, mode, request.image_size, tell, changes) for s, part in files.items()}
    said = [f"pictures are resized to {request.image_size}x{request.image_size}"]
    said += [f"{count:,} of {len(every):,} {change}" for change, count in changes.most_common()]
    request.tell("; ".join(said))
    if all_alike(parts["train"].examples_NX):
        right = "Look at a few of them: what tells the classes apart is lost or was never there."
        raise UnusableData(given, "has pictures that are all alike", right)
    return Raw(
        classes=classes,
        train=parts["train"],
        validation=parts.get("validation"),
        test=parts.get("test"),
        ids={split: np.array([id_of(path, folder) for path, _ in part])
             for split, part in files.items()},
    )  # fmt: skip


def all_alike(images_NX: NDArray[np.uint8]) -> bool:
    """Whether every picture is the first one again; of many, most often the first few tell."""
    return all(bool((piece == images_NX[:1]).all()) for piece in pieces(images_NX))


def id_of(path: Path, folder: str) -> str:
    """What a picture is called: its path inside the folder."""
    return path.relative_to(Path(folder).expanduser()).as_posix()


Files = dict[str, list[tuple[Path, int]]]
"""Each split's pictures with their classes."""


def listing(folder: str, labels: bool = True) -> tuple[tuple[str, ...], Files, str]:
    """The classes, the pictures, and the folder in words; without `labels` all pictures at any
    depth, of one class, which is not used. Raises UnusableData."""
    root = Path(folder).expanduser()
    given = f"data imagefolder:{folder}"
    if not root.is_dir():
        wrong = "is a file" if root.exists() else "does not exist"
        raise UnusableData(given, wrong, LAYOUT)
    there = {path.name.lower(): path for path in root.iterdir() if visible(path)}
    splits = {
        split: next((there[name] for name in names if name in there), None)
        for split, names in SPLITS.items()
    }
    if splits["train"] is None and any(splits.values()):
        found = ", ".join(path.name for path in splits.values() if path)
        raise UnusableData(given, f"has {found}, and no train", LAYOUT)
    places = {s: p for s, p in splits.items() if p} if splits["train"] else {"train": root}
    if not labels:
        return ("",), {split: list(heap(place)) for split, place in places.items()}, given
    classes = tuple(sorted({called(p) for p in places["train"].iterdir() if visible(p)}))
    if len(classes) < 2:
        wrong = f"has {len(classes)} class folders in {places['train']}"
        raise UnusableData(given, wrong, LAYOUT)
    files = {split: list(pictures(place, classes, given)) for split, place in places.items()}
    return classes, files, given


def heap(place: Path) -> Iterator[tuple[Path, int]]:
    """Every picture in a folder, at any depth."""
    for path in walk(place):
        if path.is_file() and path.suffix.lower() in SUFFIXES:
            yield path, 0


def stamp(request: Request, *, folder: str) -> str:
    """A hash of every file's name, size and time."""
    root = Path(folder).expanduser()
    files = [(path, path.stat()) for path in walk(root) if path.is_file()]
    facts = [(str(p.relative_to(root)), at.st_size, at.st_mtime_ns) for p, at in files]
    asked = (str(root.resolve()), request.image_size, request.channels, facts)
    return hashlib.sha256(repr(asked).encode()).hexdigest()


def visible(path: Path) -> bool:
    """Whether this is a folder that counts as a class."""
    return path.is_dir() and not hidden(path.name)


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is ignored, at any depth."""
    return name.startswith(".") or name in NOBODYS


def called(folder: Path) -> str:
    """The class of a folder: its name, whose accents may be written in two ways. Raises Unusable
    for a name that is not UTF-8."""
    expect_utf8(folder)
    return unicodedata.normalize("NFC", folder.name)


def walk(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Everything in a folder that is no folder and not ignored, also behind links, in the order of
    the names; some may be no files: broken links, pipes."""
    mine = above | {os.path.realpath(folder)}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if hidden(path.name):
            continue
        if path.is_dir() and os.path.realpath(path) not in mine:  # no link leads back
            yield from walk(path, mine)
        elif not path.is_dir():
            yield path


def unused(folder: str, used: Sequence[Path]) -> Iterator[str]:
    """What lies in the folder and is not read, in words: by kind, and why."""
    read = {*used}
    left: dict[str, Counter[str]] = defaultdict(Counter)
    for path in walk(Path(folder).expanduser()):
        kind = path.suffix.lower() or "without a suffix"
        if path in read:
            continue
        if not path.is_file():
            left["no files, but broken links or pipes"][kind] += 1
        elif path.suffix.lower() in SUFFIXES:
            left["pictures outside of the folders of the classes"][kind] += 1
        else:
            left["no pictures by their names"][kind] += 1
    for why, kinds in left.items():
        counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        yield f"not read, {why}: {counts}"


def pictures(place: Path, classes: Sequence[str], given: str) -> Iterator[tuple[Path, int]]:
    """Every picture of a split with its class, in the order of the names."""
    above = frozenset(map(os.path.realpath, (place, *place.parents)))
    for folder in sorted(p for p in place.iterdir() if visible(p)):
        if called(folder) not in classes:
            right = f"Its classes must be those of train: {', '.join(classes)}."
            raise UnusableData(given, f"has the class {folder.name!r} in {place} only", right)
        for path in walk(folder, above):
            if path.is_file() and path.suffix.lower() in SUFFIXES:
                yield path, classes.index(called(folder))


def all_grey(paths: Sequence[Path]) -> bool:
    """Whether no picture has colours, by its mode."""
    from PIL import Image

    for path in paths:
        try:
            with Image.open(path) as picture:
                if picture.mode not in GREY:
                    return False
        except Exception:  # whatever a decoder does with a broken file; `picture` names it
            continue
    return True


def read(
    files: Sequence[tuple[Path, int]],
    mode: str,
    size: int,
    tell: Callable[[], None],
    changes: Counter[str],
) -> Labelled:
    """The pictures, resized and cropped to a square in the middle; what else was done to them is
    counted."""
    images = room((len(files), len(mode), size, size), np.uint8)
    for row, (path, _) in enumerate(files):
        images[row], changed = picture(path, mode, size)
        changes.update(changed)
        if row % PIECE == 0:
            release(images)
        tell()
    return Labelled(images, np.array([label for _, label in files], np.int64))


def counting(tell: Callable[[str], None], total: int) -> Callable[[], None]:
    """Tells at each fifth of the way, where there is enough to wait for."""
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if total >= 2000 and done % (total // 5) == 0:
            tell(f"{READING}{done:,} of {total:,}")

    return count
