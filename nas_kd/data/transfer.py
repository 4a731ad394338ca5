"""The transfer set on disk: one memory-mapped array of images, one of labels, and where each
split lies in them. Prepared once into a cache by content, so that two studies share it.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nas_kd.data.arrays import ArrayRef, content
from nas_kd.data.source import Labelled, Raw, Request, Source
from nas_kd.data.splits import check, split, unlabelled
from nas_kd.data.views import Views
from nas_kd.errors import UnusableData
from nas_kd.files import write_text

Rows = tuple[int, int]
"""First row and the row after the last."""

FORMAT = 2
"""Raised when the prepared form changes, so that an older cache is not read."""


@dataclass(frozen=True, slots=True)
class TransferSet:
    """Where the prepared arrays lie and which rows are which split.

    `train` is what students learn from: labelled rows, then unlabelled ones (label -1).
    `teacher` is what a teacher is trained on, where that is another part; else the labelled rows.
    """

    name: str
    classes: tuple[str, ...]
    images: ArrayRef
    labels: ArrayRef
    train: Rows
    labelled: Rows
    validation: Rows
    test: Rows
    teacher: Rows
    mean: tuple[float, ...]
    std: tuple[float, ...]
    views: Views

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example: channels, height, width."""
        return self.images.shape[1:]

    @property
    def key(self) -> str:
        """Hash of everything a result can depend on; names and paths are no part of it."""
        facts = asdict(self)
        facts["images"], facts["labels"] = self.images.sha256, self.labels.sha256
        del facts["name"]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """The record as JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "TransferSet":
        """The record that `to_json` wrote."""
        facts: dict[str, Any] = json.loads(text)
        for name in ("images", "labels"):
            facts[name] = ArrayRef(**facts[name] | {"shape": tuple(facts[name]["shape"])})
        facts["views"] = Views(**facts["views"])
        for name in ("classes", "train", "labelled", "validation", "test", "teacher"):
            facts[name] = tuple(facts[name])
        return cls(**facts | {"mean": tuple(facts["mean"]), "std": tuple(facts["std"])})


def size(rows: Rows) -> int:
    """How many rows."""
    return rows[1] - rows[0]


def cache_folder() -> Path:
    """Where prepared data lie: $NAS_KD_CACHE, or the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("NAS_KD_CACHE") or Path(base, "nas-kd")).expanduser()


def prepare(
    name: str,
    source: Source,
    request: Request,
    split_seed: int = 0,
    views: int = 1,
    cache: Path | None = None,
) -> TransferSet:
    """The prepared set, from the cache if the source is fixed, else loaded and split.

    Raises UnusableData.
    """
    if request.unlabelled and not source.unlabelled:
        raise UnusableData(
            f"unlabelled = {request.unlabelled}",
            f"data {name!r} has no unlabelled examples",
            "Leave it at 0, or use a source that makes some, such as glyphs.",
        )
    folder = cache or cache_folder()
    stamp = source.stamp(request) if source.stamp else ""
    asked = json.dumps(
        [FORMAT, name, str(request.root), request.seed, request.unlabelled, split_seed, stamp]
    )
    note = folder / "requests" / f"{hashlib.sha256(asked.encode()).hexdigest()[:24]}.json"
    seen_as = Views(views, source.shift, source.flip, split_seed)
    if (source.fixed or source.stamp) and note.exists():
        known = TransferSet.from_json(note.read_text())
        if Path(known.images.path).exists() and Path(known.labels.path).exists():
            return replace(known, views=seen_as)
    made = write(name, source.load(request), split_seed, folder)
    write_text(note, made.to_json())
    return replace(made, views=seen_as)


def write(name: str, raw: Raw, split_seed: int, folder: Path) -> TransferSet:
    """Split the arrays, lay them end to end on disk and record which rows are which."""
    check(name, raw)
    parts = split(raw, split_seed)
    if raw.unlabelled_NCHW is not None:
        parts["unlabelled"] = unlabelled(raw.unlabelled_NCHW)
    order = [p for p in ("train", "unlabelled", "validation", "test", "teacher") if p in parts]
    images = np.concatenate([parts[part].images_NCHW for part in order])
    labels = np.concatenate([parts[part].labels_N for part in order])
    ends = np.cumsum([len(parts[part].labels_N) for part in order]).tolist()
    rows: dict[str, Rows] = dict(zip(order, zip([0, *ends], ends, strict=False), strict=True))
    mean, std = moments(parts["train"])
    images_hash, labels_hash = content(images), content(labels)
    place = folder / "data" / images_hash[:24]
    return TransferSet(
        name=name,
        classes=raw.classes,
        images=kept(images, images_hash, place / "images.npy"),
        labels=kept(labels, labels_hash, place / f"labels-{labels_hash[:12]}.npy"),
        train=(0, rows.get("unlabelled", rows["train"])[1]),
        labelled=rows["train"],
        validation=rows["validation"],
        test=rows["test"],
        teacher=rows.get("teacher", rows["train"]),
        mean=mean,
        std=std,
        views=Views(),
    )


def kept(array: Any, sha256: str, path: Path) -> ArrayRef:
    """The array of this hash at `path`; written unless it is there already."""
    if not path.exists():
        return ArrayRef.save(array, path, sha256)
    return ArrayRef(sha256, str(path), array.shape, str(array.dtype))


def moments(part: Labelled) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over these examples, in pieces of few bytes."""
    images_NCHW = part.images_NCHW
    total = squares = np.zeros(images_NCHW.shape[1])
    for first in range(0, len(images_NCHW), 4096):
        piece = images_NCHW[first : first + 4096].astype(np.float64)
        total = total + piece.sum((0, 2, 3))
        squares = squares + (piece**2).sum((0, 2, 3))
    count = images_NCHW.size / images_NCHW.shape[1]
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1e-12))
    return tuple(mean.tolist()), tuple(std.tolist())
