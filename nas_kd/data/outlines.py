"""The strokes of thirty characters, drawn for this project: no font is read.

A character is a tuple of strokes in a box with x from 0 to 1 (right) and y from 0 to 1 (down). A
stroke is a polyline, or an arc that is turned into one. Because the outlines are numbers in this
file, the pictures made from them do not change with the fonts or imaging libraries of a machine.
"""

from math import cos, pi, sin

Point = tuple[float, float]
Stroke = tuple[Point, ...]


def arc(cx: float, cy: float, rx: float, ry: float, start: float, stop: float) -> Stroke:
    """An elliptic arc from angle `start` to `stop` in degrees, clockwise from the right."""
    steps = max(4, round(abs(stop - start) / 15))
    angles = (pi / 180 * (start + (stop - start) * i / steps) for i in range(steps + 1))
    return tuple((cx + rx * cos(angle), cy + ry * sin(angle)) for angle in angles)


STEM: Stroke = ((0.1, 0.0), (0.1, 1.0))
UPPER_BOWL: Stroke = ((0.1, 0.0), (0.5, 0.0), *arc(0.55, 0.25, 0.35, 0.25, -90, 90), (0.1, 0.5))

OUTLINES: dict[str, tuple[Stroke, ...]] = {
    "0": (arc(0.5, 0.5, 0.38, 0.5, 0, 360),),
    "1": (((0.25, 0.22), (0.55, 0.0), (0.55, 1.0)), ((0.28, 1.0), (0.82, 1.0))),
    "2": ((*arc(0.5, 0.28, 0.38, 0.28, 190, 390), (0.1, 1.0), (0.9, 1.0)),),
    "3": (arc(0.48, 0.25, 0.36, 0.25, 200, 450), arc(0.48, 0.74, 0.4, 0.26, -90, 160)),
    "4": (((0.7, 1.0), (0.7, 0.0), (0.08, 0.68), (0.95, 0.68)),),
    "5": (((0.85, 0.0), (0.2, 0.0), (0.16, 0.45)), arc(0.46, 0.68, 0.4, 0.32, 220, 510)),
    "6": (arc(0.5, 0.7, 0.36, 0.3, 0, 360), arc(0.72, 0.62, 0.58, 0.62, 180, 270)),
    "7": (((0.1, 0.0), (0.9, 0.0), (0.4, 1.0)),),
    "8": (arc(0.5, 0.25, 0.31, 0.25, 0, 360), arc(0.5, 0.75, 0.38, 0.25, 0, 360)),
    "9": (arc(0.5, 0.3, 0.36, 0.3, 0, 360), arc(0.28, 0.38, 0.58, 0.62, 0, 90)),
    "A": (((0.05, 1.0), (0.5, 0.0), (0.95, 1.0)), ((0.22, 0.64), (0.78, 0.64))),
    "B": (
        STEM,
        UPPER_BOWL,
        ((0.1, 0.5), (0.52, 0.5), *arc(0.55, 0.75, 0.38, 0.25, -90, 90), (0.1, 1.0)),
    ),
    "C": (arc(0.55, 0.5, 0.45, 0.5, 50, 310),),
    "D": (STEM, ((0.1, 0.0), (0.4, 0.0), *arc(0.42, 0.5, 0.5, 0.5, -90, 90), (0.1, 1.0))),
    "E": (((0.9, 0.0), (0.1, 0.0), (0.1, 1.0), (0.9, 1.0)), ((0.1, 0.48), (0.75, 0.48))),
    "F": (((0.9, 0.0), (0.1, 0.0), (0.1, 1.0)), ((0.1, 0.48), (0.75, 0.48))),
    "G": ((*arc(0.55, 0.5, 0.45, 0.5, 310, 20), (0.98, 0.55), (0.6, 0.55)),),
    "H": (STEM, ((0.9, 0.0), (0.9, 1.0)), ((0.1, 0.5), (0.9, 0.5))),
    "J": (((0.75, 0.0), (0.75, 0.7), *arc(0.42, 0.7, 0.33, 0.3, 0, 160)),),
    "K": (STEM, ((0.88, 0.0), (0.1, 0.58)), ((0.36, 0.4), (0.92, 1.0))),
    "L": (((0.12, 0.0), (0.12, 1.0), (0.88, 1.0)),),
    "M": (((0.05, 1.0), (0.1, 0.0), (0.5, 0.65), (0.9, 0.0), (0.95, 1.0)),),
    "N": (((0.1, 1.0), (0.1, 0.0), (0.9, 1.0), (0.9, 0.0)),),
    "P": (STEM, UPPER_BOWL),
    "R": (STEM, UPPER_BOWL, ((0.5, 0.5), (0.92, 1.0))),
    "S": ((*arc(0.5, 0.25, 0.36, 0.25, 330, 90), *arc(0.5, 0.75, 0.38, 0.25, -90, 150)),),
    "T": (((0.05, 0.0), (0.95, 0.0)), ((0.5, 0.0), (0.5, 1.0))),
    "U": (((0.1, 0.0), (0.1, 0.65), *arc(0.5, 0.65, 0.4, 0.35, 180, 0), (0.9, 0.0)),),
    "X": (((0.08, 0.0), (0.92, 1.0)), ((0.92, 0.0), (0.08, 1.0))),
    "Z": (((0.1, 0.0), (0.9, 0.0), (0.08, 1.0), (0.92, 1.0)),),
}
"""The strokes of each character, in the order of the class numbers."""
