"""The transfer set on disk: one memory-mapped array of examples, one of labels, and where each
split lies in them. Prepared once into a cache by content, so that two studies share it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from nas_kd.data.arrays import ArrayRef, content, kept_array, release, room
from nas_kd.data.columns import Column, Table, encode, learn
from nas_kd.data.leaving_out import without
from nas_kd.data.origin import Origin
from nas_kd.data.source import (
    ASKED,
    IMAGE_SIDE,
    MOST_WORDS,
    READING,
    Examples,
    Labelled,
    Raw,
    Request,
    Source,
)
from nas_kd.data.splits import Part, check, expect_classes, split
from nas_kd.data.synthetic import TRANSFER, synthetic_rows
from nas_kd.data.unlabelled import stamp_of, with_unlabelled, without_labels
from nas_kd.data.views import Views
from nas_kd.errors import NasKDError, UnusableData
from nas_kd.files import cache_folder, write_text
from nas_kd.records import read_json

Rows = tuple[int, int]
"""First row and the row after the last."""

FORMAT = 10
"""Raised when the prepared form changes, so that an older cache is not read."""


@dataclass(frozen=True, slots=True)
class TransferSet:
    """Where the prepared arrays lie and which rows are which split.

    `train` is what students learn from: labelled rows, then unlabelled ones (label -1).
    `teacher` is what a teacher is trained on, where that is another part; else the labelled rows.
    """

    name: str
    classes: tuple[str, ...]
    examples: ArrayRef
    labels: ArrayRef
    train: Rows
    labelled: Rows
    validation: Rows
    test: Rows
    teacher: Rows
    mean: tuple[float, ...]
    std: tuple[float, ...]
    views: Views
    origin: Origin
    """Where each row came from."""
    columns: tuple[Column, ...] = ()
    """How the columns of a table became its features."""
    notes: tuple[str, ...] = ()
    """How the data were understood, and what of them is not used, in words."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example: (channels, height, width), (channels, length) or (features,)."""
        return self.examples.shape[1:]

    @property
    def key(self) -> str:
        """Hash of everything a result can depend on; names and paths are no part of it."""
        facts = asdict(self)
        facts["examples"], facts["labels"] = self.examples.sha256, self.labels.sha256
        del facts["name"], facts["origin"], facts["notes"]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    @property
    def files(self) -> tuple[str, ...]:
        """Where everything that was prepared lies."""
        arrays = (self.examples, self.labels, self.origin.rows, self.origin.ids)
        tables = (path for _, path in self.origin.tables)
        return (*(array.path for array in arrays if array), *tables)

    def to_json(self) -> str:
        """The record as JSON."""
        return json.dumps({"schema": FORMAT} | asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "TransferSet":
        """The record that `to_json` wrote. Raises ValueError for anything else."""
        facts = read_json(dict[str, Any], text)
        if (schema := facts.pop("schema", None)) != FORMAT:
            raise ValueError(f"schema {schema}, and this version of nas-kd reads {FORMAT}")
        return read_json(cls, json.dumps(facts))


def size(rows: Rows) -> int:
    """How many rows."""
    return rows[1] - rows[0]


def shape_in_words(shape: tuple[int, ...]) -> str:
    """The shape of one example: 28x28x1, 128 long with 6 channels, 12 features."""
    channels, *sides = shape
    if not sides:
        return f"{channels} features"
    if len(sides) == 1:
        return f"{sides[0]} long, {channels} channel{'s' * (channels > 1)}"
    return "x".join(map(str, (*sides, channels)))


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
    expect_understood(name, source, request)
    folder = cache or cache_folder()
    stamps = [source.stamp(request) if source.stamp else "", stamp_of(request)]
    asked = json.dumps(
        [
            FORMAT,
            name,
            str(request.root),
            request.seed,
            split_seed,
            stamps,
            [getattr(request, name) for name in ASKED],
        ]
    )
    note = folder / "requests" / f"{hashlib.sha256(asked.encode()).hexdigest()[:24]}.json"
    known = kept(note) if (source.fixed or source.stamp) and None not in stamps else None
    if known:
        for text in known.notes:
            request.tell(text)
        return seen_in(known, views, source, split_seed)
    said: list[str] = []

    def tell(text: str) -> None:
        if text not in said:
            said.extend([text] * (not text.startswith(READING)))
            request.tell(text)

    raw = without(source.load(replace(request, tell=tell)), request.drop_classes, tell)
    raw = with_unlabelled(raw, replace(request, tell=tell))
    if request.teacher_classes:
        raw = without_labels(raw, request.teacher_classes)
        tell(f"no labels are used: the teacher tells {len(raw.classes)} classes apart")
    made = write(name, raw, split_seed, folder, replace(request, tell=tell))
    made = replace(made, notes=tuple(said))
    write_text(note, made.to_json())
    return seen_in(made, views, source, split_seed)


def kept(note: Path) -> TransferSet | None:
    """A set that was prepared before, if all of it is there, as it was written."""
    try:
        known = TransferSet.from_json(note.read_text())
        for array in (known.examples, known.labels, known.origin.rows, known.origin.ids):
            if array:
                array.open()
    except (OSError, ValueError, NasKDError):
        return None
    return known if all(Path(path).exists() for path in known.files) else None


def expect_understood(name: str, source: Source, request: Request) -> None:
    """Raise UnusableData for what is asked of a source that cannot give it."""
    if request.made and not source.unlabelled:
        raise UnusableData(
            f"unlabelled = {request.made}",
            f"data {name!r} makes no unlabelled examples",
            "glyphs and mnist1d make some. Name examples of yours: --unlabelled FOLDER, FILE.npz, "
            "or of a table FILE.csv.",
        )
    if source.fixed and (request.layout != "auto" or request.image_size != IMAGE_SIDE):
        wrong = f"are for data of yours; {name!r} has a form of its own"
        raise UnusableData("layout and image_size", wrong, "Leave them out.")
    names = ("label", "group", "drop", "keep")
    named = {name: getattr(request, name) for name in names}
    named["fix words"] = request.words != MOST_WORDS
    if not source.columns and (said := [name for name, value in named.items() if value]):
        right = f"Leave --{said[0]} out, or name a table: csv:PATH, parquet:PATH."
        raise UnusableData(f"--{said[0]}", f"is for tables; data {name!r} has no columns", right)


def seen_in(data: TransferSet, views: int, source: Source, seed: int) -> TransferSet:
    """The set, seen in so many views. Raises UnusableData for a table, which has none."""
    sides = len(data.input_shape) - 1
    if views > 1 and sides == 0:
        wrong = f"has no shifted views: data {data.name!r} is a table"
        raise UnusableData(f"views = {views}", wrong, "Leave views at 1.")
    flip = source.flip and sides == 2
    return replace(data, views=Views(views, source.shift, flip, seed, sides))


LEARNED = (*TRANSFER, "synthetic")
"""The parts that students learn from."""

ORDER = (*LEARNED, "validation", "test", "teacher")
"""The parts, as they are laid end to end."""


def write(name: str, raw: Raw, split_seed: int, folder: Path, asked: Request) -> TransferSet:
    """Split the arrays, lay them end to end on disk and record which rows are which."""
    check(name, raw)
    parts = split(raw, split_seed, asked.validation)
    expect_classes(name, parts, raw.classes)
    columns = learned(raw.table, parts["train"], asked.words) if raw.table else ()
    made = None
    if asked.munge:
        made = synthetic_rows(name, parts, raw.table, columns, asked.munge, split_seed)
        parts["synthetic"] = made.part(parts["train"].source.examples_NX.dtype)
        asked.tell(f"{len(made.base_M):,} synthetic rows by MUNGE join the transfer set, "
                   "without labels")  # fmt: skip
    order = [one for one in ORDER if one in parts]
    drawn = [parts[one] for one in order]
    if raw.table:
        parts = encoded(raw.table, parts, columns)
    examples = laid([parts[part] for part in order])
    labels = np.concatenate([parts[part].labels() for part in order])
    ends = np.cumsum([len(parts[part].index_N) for part in order]).tolist()
    rows: dict[str, Rows] = dict(zip(order, zip([0, *ends], ends, strict=False), strict=True))
    mean, std = moments(parts["train"])
    examples_hash = content(examples)
    place = folder / "data" / examples_hash[:24]
    return TransferSet(
        name=name,
        classes=raw.classes,
        examples=kept_array(examples, place, "examples", examples_hash),
        labels=kept_array(labels, place, "labels"),
        train=(0, max(rows[one][1] for one in LEARNED if one in rows)),
        labelled=rows["train"],
        validation=rows["validation"],
        test=rows["test"],
        teacher=rows.get("teacher", rows["train"]),
        mean=mean,
        std=std,
        views=Views(),
        origin=Origin.of(raw, drawn, place, made),
        columns=columns,
    )


def learned(table: Table, train: Part, words: int) -> tuple[Column, ...]:
    """How the columns of a table become features, of words so many at most. Raises UnusableData
    where no column tells anything."""
    columns = learn(table, train.source.examples_NX[train.index_N], words)
    if not any(column.features for column in columns):
        wrong = f"differ in nothing: {', '.join(table.names[:12])}"
        raise UnusableData("the columns of the table", wrong, "Add some, or name other ones.")
    return columns


def encoded(table: Table, parts: dict[str, Part], columns: Sequence[Column]) -> dict[str, Part]:
    """The parts of a table with features for columns."""
    return {
        name: Part.whole(Labelled(
            encode(table, columns, part.source.examples_NX[part.index_N]), part.labels()
        ), part.split)
        for name, part in parts.items()
    }  # fmt: skip


def laid(parts: Sequence[Part]) -> Examples:
    """The examples of all parts, end to end."""
    first = parts[0].source.examples_NX
    total = sum(len(part.index_N) for part in parts)
    examples, row = room((total, *first.shape[1:]), first.dtype), 0
    for part in parts:
        for piece in part.pieces():
            examples[row : row + len(piece)] = piece
            row += len(piece)
            release(examples)
    return examples


def moments(part: Part) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over these examples."""
    channels, *sides = part.source.examples_NX.shape[1:]
    total = squares = np.zeros(channels)
    for stored in part.pieces():
        piece = stored.astype(np.float64)
        others = (0, *range(2, piece.ndim))
        total = total + piece.sum(others)
        squares = squares + (piece**2).sum(others)
    count = len(part.index_N) * prod(sides)
    mean = total / count
    variance = squares / count - mean**2
    varies = variance > 1e-12 * squares / count
    std = np.sqrt(np.where(varies, variance, 1.0))  # what never varies stays as it is
    return tuple(mean.tolist()), tuple(std.tolist())
