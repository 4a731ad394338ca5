"""glyphs: 28x28 pictures of thirty characters, generated, so that a first run needs no download.

The set is made for showing distillation at work: few labels, classes that resemble each other,
and clutter that a large teacher sees through better than a small student. It is no benchmark;
numbers on it say nothing about photographs or sensors.

Each picture is a character under a random affine map and stroke width, on uneven light, with
pieces of other characters and noise. Everything is drawn from one seed.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_kd.data.outlines import OUTLINES, Stroke
from nas_kd.data.source import Labelled, Raw, Request, Source

SIDE = 28
FIELD = 192
"""Cells on a side of a character's distance field, which covers [-0.5, 1.5] both ways."""

Floats = NDArray[Any]
"""float32 of any shape."""


def distance_field(strokes: tuple[Stroke, ...]) -> Floats:
    """Distance [FIELD, FIELD] from each cell to the nearest stroke, in box units."""
    axis = (np.arange(FIELD, dtype=np.float32) + 0.5) / FIELD * 2 - 0.5
    point = np.stack(np.meshgrid(axis, axis), -1)[:, :, None]
    start = np.array([p for s in strokes for p in s[:-1]], np.float32)
    along = np.array([q for s in strokes for q in s[1:]], np.float32) - start
    share = ((point - start) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-12)
    nearest = start + np.clip(share, 0, 1)[..., None] * along
    distance: Floats = np.sqrt(((point - nearest) ** 2).sum(-1)).min(-1)
    return distance


def affine(random: np.random.Generator, count: int, spread: float) -> tuple[Floats, Floats]:
    """Maps [N, 2, 2] and offsets [N, 2, 1] from a picture to the character's box."""
    angle = random.normal(0, 0.18, count)
    shear = random.normal(0, 0.18, count)
    size = random.uniform(0.5, 0.75, (2, count))
    centre = random.normal(0, spread, (count, 2, 1))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    slant = np.array([[np.ones(count), shear], [np.zeros(count), np.ones(count)]])
    scale = np.array([[1 / size[0], 0 * size[0]], [0 * size[0], 1 / size[1]]])
    matrix = np.einsum("ijn,jkn,kln->nil", scale, slant, turn)
    return matrix.astype(np.float32), (0.5 - matrix @ centre).astype(np.float32)


@lru_cache(maxsize=1)
def distance_fields() -> Floats:
    """The distance field of every character, in the order of the classes; a second's work."""
    return np.stack([distance_field(strokes) for strokes in OUTLINES.values()])


def draw(
    fields: Floats, kind: NDArray[np.int64], maps: tuple[Floats, Floats], ink: Floats
) -> Floats:
    """Strokes [N, SIDE * SIDE] in [0, 1] of characters `kind` [N] with half widths `ink` [N, 1]."""
    axis = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE - 0.5
    grid = np.stack(np.meshgrid(axis, axis)).reshape(2, -1)
    cell = ((maps[0] @ grid + maps[1] + 0.5) * (FIELD / 2)).astype(np.int32)
    np.clip(cell, 0, FIELD - 1, out=cell)
    flat = cell[:, 1] * FIELD + cell[:, 0] + (kind * FIELD * FIELD).astype(np.int32)[:, None]
    distance = fields.reshape(-1)[flat]
    drawn: Floats = np.clip((ink - distance) * 16 + 0.5, 0, 1)
    return drawn


def light(random: np.random.Generator, count: int) -> Floats:
    """Uneven light [N, SIDE * SIDE]: a random slope across the picture."""
    axis = np.linspace(-1, 1, SIDE, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis)).reshape(2, -1)
    return (random.normal(0, 0.18, (count, 2)).astype(np.float32) @ grid).astype(np.float32)


def pictures(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """`count` pictures [N, 1, 28, 28] and their classes [N], all equally often."""
    random = np.random.default_rng(seed)
    fields = distance_fields()
    images = np.empty((count, 1, SIDE, SIDE), np.uint8)
    labels = random.permutation(np.arange(count, dtype=np.int64) % len(OUTLINES))
    for first in range(0, count, 2000):
        part = labels[first : first + 2000]
        images[first : first + len(part), 0] = paint(random, fields, part)
    return images, labels


def paint(
    random: np.random.Generator, fields: Floats, kind: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Pictures [N, 28, 28] of the characters `kind` [N]."""
    count = len(kind)
    ink = random.uniform(0.05, 0.11, (count, 1)).astype(np.float32)
    stroke = draw(fields, kind, affine(random, count, 0.07), ink)
    strength = random.uniform(0.35, 0.85, (count, 1)).astype(np.float32)
    value = 0.25 + strength * stroke
    for _ in range(2):
        other = random.integers(0, len(fields), count)
        clutter = draw(fields, other, affine(random, count, 0.42), ink)
        value += clutter * random.uniform(0.0, 0.55, (count, 1)).astype(np.float32) * (1 - stroke)
    value += light(random, count)
    value += random.standard_normal(value.shape, np.float32) * 0.14
    pixels: NDArray[np.uint8] = (np.clip(value, 0, 1) * 255).astype(np.uint8)
    return pixels.reshape(count, SIDE, SIDE)


def load(request: Request) -> Raw:
    """20,000 pictures for the teacher, 6,000 labelled for the students, 4,000 and 10,000 to judge.

    Each part has a seed of its own, so asking for unlabelled pictures changes no other part.
    """
    sizes = {"teacher": 20_000, "train": 6_000, "validation": 4_000, "test": 10_000}
    parts: dict[str, Any] = {
        name: Labelled(*pictures(size, seed=1000 * request.seed + number))
        for number, (name, size) in enumerate(sizes.items())
    }
    extra, _ = pictures(request.made, seed=1000 * request.seed + len(sizes))
    return Raw(classes=tuple(OUTLINES), unlabelled_NX=extra if request.made else None, **parts)


GLYPHS = Source(load=load, fixed=True, unlabelled=True)
