"""The embedded data."""

import numpy as np

from nas_kd.data.arrays import content
from nas_kd.data.glyphs import SIDE, distance_field, pictures
from nas_kd.data.outlines import OUTLINES


def test_the_same_seed_gives_the_same_pictures_and_another_gives_others() -> None:
    first, labels = pictures(30, seed=3)
    again, same = pictures(30, seed=3)
    other, _ = pictures(30, seed=4)
    assert (content(first), content(labels)) == (content(again), content(same))
    assert content(first) != content(other)


def test_the_thirty_classes_are_equally_often() -> None:
    images, labels = pictures(300, seed=0)
    assert images.shape == (300, 1, SIDE, SIDE)
    assert images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [10] * 30


def test_the_characters_are_distinct_drawings() -> None:
    fields = np.stack([distance_field(strokes) for strokes in OUTLINES.values()])
    inked = (fields < 0.07).reshape(len(fields), -1)
    shared = (inked[:, None] & inked).sum(-1) / (inked[:, None] | inked).sum(-1)
    np.fill_diagonal(shared, 0)
    assert shared.max() < 0.9


def test_every_outline_stays_in_its_box() -> None:
    points = np.array([p for strokes in OUTLINES.values() for stroke in strokes for p in stroke])
    assert points.min() > -0.05
    assert points.max() < 1.05
