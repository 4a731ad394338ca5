"""One picture from a file: upright, on white, of 8 bits, a square of the size that is wanted."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas_kd.errors import UnusableData

if TYPE_CHECKING:
    from PIL import Image

MOST = 64_000_000
"""Pixels of a picture; a larger one would take gigabytes while it is read."""

CUT = "are not square, and lose what is longer"
LAID = "are transparent in parts, and lie on white"
FIRST = "have several pages or frames, of which the first is read"


def picture(path: Path, mode: str, size: int) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """One picture [C, size, size], L or RGB, and what was done to it beside resizing. Raises
    UnusableData naming the file."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings(), Image.open(path) as opened:
            # of large and odd files, which are refused here
            warnings.simplefilter("ignore")
            if opened.width * opened.height > MOST:
                raise ValueError(
                    f"{opened.width}x{opened.height} pixels, and {MOST:,} are the most"
                )
            several = getattr(opened, "n_frames", 1) > 1
            upright = in_bytes(ImageOps.exif_transpose(opened))
            laid = on_white(upright)
            whole = laid.convert(mode)
            square = ImageOps.fit(whole, (size, size), Image.Resampling.BILINEAR)
    except Exception as error:  # whatever a decoder does with a broken file
        wrong = f"cannot be read ({str(error) or type(error).__name__})"
        raise UnusableData(f"picture {path}", wrong, "Mend or remove the file.") from error
    pixels = np.asarray(square, np.uint8)
    done = {CUT: whole.width != whole.height, LAID: laid is not upright, FIRST: several}
    channels_first = pixels[None] if mode == "L" else pixels.transpose(2, 0, 1)
    return channels_first, tuple(text for text, so in done.items() if so)


def on_white(picture: "Image.Image") -> "Image.Image":
    """A picture without transparency: what is transparent lies on white paper."""
    from PIL import Image

    if "transparency" not in picture.info and not picture.mode.upper().endswith("A"):
        return picture
    whole = picture.convert("RGBA")
    if whole.getchannel("A").getextrema() == (255, 255):
        return picture
    return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")


def in_bytes(picture: "Image.Image") -> "Image.Image":
    """A picture of 16 bits as one of 8, which Pillow would clip. Raises ValueError for real
    numbers, whose scale nobody knows, and for whole ones beyond 16 bits."""
    from PIL import Image

    if picture.mode == "F":
        raise ValueError("its pixels are real numbers: save it with 8 or 16 bits")
    if not picture.mode.startswith("I"):
        return picture
    pixels = np.asarray(picture)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("its pixels have more than 16 bits: save it with 8 or 16")
    if picture.mode == "I" and pixels.max() <= 255:
        return Image.fromarray(pixels.astype(np.uint8))
    return Image.fromarray(((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))
