"""Folders of pictures, as people have them."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas_kd.data import source_of
from nas_kd.data.pictures import picture as one_picture
from nas_kd.data.source import Raw, Request
from nas_kd.data.transfer import prepare, size
from nas_kd.errors import Unusable, UnusableData

MODES = ("RGB", "L", "RGBA", "P", "CMYK", "1", "LA")


def picture(path: Path, kind: int, number: int, mode: str = "RGB") -> None:
    """A picture whose brightness tells its class, of some size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(number)
    side = (20 + number % 17, 24 + number % 5)
    pixels = random.integers(0, 60, (*side, 3), dtype=np.uint8) + np.uint8(90 * kind)
    Image.fromarray(pixels).convert(mode).save(path)


def folder(root: Path, count: int = 12, modes: tuple[str, ...] = MODES) -> Path:
    """Two classes of pictures in many sizes and modes, JPEG and PNG."""
    for kind, name in enumerate(("dark", "light")):
        for number in range(count):
            mode = modes[number % len(modes)]
            suffix = "jpg" if mode in ("RGB", "L", "CMYK") else "png"
            picture(root / name / f"{number}.{suffix}", kind, number, mode)
    return root


def test_pictures_of_any_size_and_mode_become_one_square(tmp_path: Path) -> None:
    raw = source_of(f"imagefolder:{folder(tmp_path)}").load(Request(Path(), image_size=16))
    assert raw.classes == ("dark", "light")
    assert raw.train.examples_NX.shape == (24, 3, 16, 16)
    assert raw.train.examples_NX.dtype == np.uint8
    means = [raw.train.examples_NX[raw.train.labels_N == kind].mean() for kind in (0, 1)]
    assert means[1] > means[0] + 40


def test_grey_pictures_stay_grey_unless_colour_is_asked_for(tmp_path: Path) -> None:
    source = source_of(f"imagefolder:{folder(tmp_path, modes=('L', '1'))}")
    assert source.load(Request(Path())).train.examples_NX.shape == (24, 1, 32, 32)
    assert source.load(Request(Path(), channels=3)).train.examples_NX.shape[1] == 3


@pytest.mark.parametrize(
    "names",
    [("train", "val", "test"), ("train", "validation", "test"), ("Training", "VAL", "Test")],
)
def test_train_val_and_test_subfolders_are_the_splits(
    names: tuple[str, str, str], tmp_path: Path
) -> None:
    for name, count in zip(names, (12, 5, 7), strict=True):
        folder(tmp_path / name, count)
    source = source_of(f"imagefolder:{tmp_path}")
    data = prepare("x", source, Request(Path()), cache=tmp_path / "cache")
    assert [size(rows) for rows in (data.train, data.validation, data.test)] == [24, 10, 14]


def test_a_prepared_folder_is_read_again_only_when_a_file_changes(tmp_path: Path) -> None:
    root = folder(tmp_path / "pictures")
    source = source_of(f"imagefolder:{root}")
    first = prepare("x", source, Request(Path()), cache=tmp_path / "cache")
    assert prepare("x", source, Request(Path()), cache=tmp_path / "cache") == first
    picture(root / "light" / "new.png", 1, 99)
    assert prepare("x", source, Request(Path()), cache=tmp_path / "cache").key != first.key


def test_a_long_reading_is_told(tmp_path: Path) -> None:
    from nas_kd.data.imagefolder import counting

    told: list[str] = []
    count = counting(told.append, 5000)
    for _ in range(5000):
        count()
    assert told == [f"reading {n:,} of 5,000" for n in (1000, 2000, 3000, 4000, 5000)]


def read_all(root: Path, told: list[str] | None = None) -> Raw:
    """What is read of a folder of pictures; what is said of their sizes is left out."""

    def tell(text: str) -> None:
        if told is not None and not text.startswith("pictures are resized"):
            told.append(text)

    return source_of(f"imagefolder:{root}").load(Request(Path(), image_size=16, tell=tell))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_black_ink_on_transparent_paper_is_black_on_white(mode: str, tmp_path: Path) -> None:
    for kind, name in enumerate(("small", "large")):
        for number in range(3):
            pixels = np.zeros((16, 16, 4), np.uint8)
            pixels[: 4 + 8 * kind, : 4 + 8 * kind, 3] = 255  # ink
            drawn = Image.fromarray(pixels)
            if mode == "LA":
                drawn = drawn.convert("LA")
            place = tmp_path / name / f"{number}.png"
            place.parent.mkdir(exist_ok=True)
            if mode == "P":
                ink = drawn.getchannel("A").point(lambda alpha: alpha > 0, "1").convert("P")
                ink.putpalette([255, 0, 0, 0, 0, 0] + [0] * 762)
                drawn, extra = ink.point(lambda index: int(index > 0)), {"transparency": 0}
            else:
                extra = {}
            drawn.save(place, **extra)
    raw = read_all(tmp_path)
    assert raw.train.examples_NX[:, :, -1, -1].min() == 255
    assert raw.train.examples_NX[:, :, 0, 0].max() == 0


def test_every_file_that_is_no_picture_by_its_name_is_counted_aloud(tmp_path: Path) -> None:
    told: list[str] = []
    folder(tmp_path)
    for name in ("notes.txt", "labels.csv", "more.csv", "scan"):
        (tmp_path / "dark" / name).write_text("")
    (tmp_path / "readme.md").write_text("")
    read_all(tmp_path, told)
    (said,) = told
    assert said.startswith("not read, no pictures by their names: 2 .csv, 1 ")
    assert {"1 .txt", "1 .md", "1 without a suffix"} <= {*said.split(": ")[1].split(", ")}


def test_pictures_outside_of_the_classes_and_broken_links_are_counted_aloud(tmp_path: Path) -> None:
    told: list[str] = []
    folder(tmp_path)
    picture(tmp_path / "loose.png", 0, 0)
    picture(tmp_path / "train-of-thought.jpg", 0, 0)
    (tmp_path / "dark" / "gone.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "dark" / "pipe.png")
    assert len(read_all(tmp_path, told).train.labels_N) == 24
    assert sorted(told) == [
        "not read, no files, but broken links or pipes: 2 .png",
        "not read, pictures outside of the folders of the classes: 1 .png, 1 .jpg",
    ]


def test_pictures_of_a_folder_beside_the_splits_are_counted_aloud(tmp_path: Path) -> None:
    told: list[str] = []
    folder(tmp_path / "train")
    (tmp_path / "extra").mkdir()
    picture(tmp_path / "extra" / "1.png", 0, 0)
    read_all(tmp_path, told)
    assert told == ["not read, pictures outside of the folders of the classes: 1 .png"]


def test_what_resizing_cuts_off_is_said(tmp_path: Path) -> None:
    told: list[str] = []
    folder(tmp_path)
    Image.new("RGB", (40, 40)).save(tmp_path / "dark" / "square.png")
    source_of(f"imagefolder:{tmp_path}").load(Request(Path(), image_size=16, tell=told.append))
    assert told == [
        "pictures are resized to 16x16; 24 of 25 are not square, and lose what is longer"
    ]


def test_a_link_upwards_brings_no_class_into_another(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "dark" / "up").symlink_to("..")
    assert len(read_all(tmp_path).train.labels_N) == 24


def test_a_folder_with_a_test_split_and_no_train_is_named(tmp_path: Path) -> None:
    folder(tmp_path / "val")
    folder(tmp_path / "test")
    with pytest.raises(UnusableData, match="has val, test, and no train"):
        read_all(tmp_path)


def test_transparency_and_further_pages_are_said(tmp_path: Path) -> None:
    told: list[str] = []
    folder(tmp_path)
    clear = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    clear.save(tmp_path / "dark" / "clear.png")
    Image.new("RGBA", (16, 16), (0, 0, 0, 255)).save(tmp_path / "dark" / "opaque.png")
    pages = [Image.new("L", (16, 16), shade) for shade in (0, 255)]
    pages[0].save(tmp_path / "dark" / "pages.tif", save_all=True, append_images=pages[1:])
    source_of(f"imagefolder:{tmp_path}").load(Request(Path(), image_size=16, tell=told.append))
    assert "1 of 27 are transparent in parts, and lie on white" in told[0]
    assert "1 of 27 have several pages or frames, of which the first is read" in told[0]


def test_whole_numbers_of_32_bits_are_read_by_what_they_are(tmp_path: Path) -> None:
    pixels = np.full((16, 16), 200, np.int32)
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    assert one_picture(tmp_path / "a.tif", "L", 16)[0].max() == 200
    Image.fromarray(pixels * 300).save(tmp_path / "b.tif")
    assert one_picture(tmp_path / "b.tif", "L", 16)[0].max() == 233
    Image.fromarray(pixels * 3000).save(tmp_path / "c.tif")
    with pytest.raises(UnusableData, match="more than 16 bits"):
        one_picture(tmp_path / "c.tif", "L", 16)


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "huge.png")
    with pytest.raises(UnusableData, match="64,000,000 are the most"):
        one_picture(tmp_path / "huge.png", "RGB", 16)


def test_a_class_whose_name_is_not_utf_8_is_refused_by_name(tmp_path: Path) -> None:
    folder(tmp_path)
    os.rename(tmp_path / "dark", os.fsencode(tmp_path) + b"/d\xe4rk")
    with pytest.raises(Unusable, match=r"d\\xe4rk: has a name that is not UTF-8.*Rename"):
        read_all(tmp_path)


def test_a_jfif_is_a_picture(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "dark" / "0.jpg").rename(tmp_path / "dark" / "0.jfif")
    told: list[str] = []
    assert len(read_all(tmp_path, told).train.labels_N) == 24
    assert told == []


@pytest.mark.parametrize("name", [".ipynb_checkpoints", "__MACOSX", "@eaDir", ".thumbnails"])
@pytest.mark.parametrize("place", [".", "dark", "dark/deep"])
def test_what_archives_and_notebooks_leave_behind_is_ignored_at_every_depth(
    name: str, place: str, tmp_path: Path
) -> None:
    folder(tmp_path)
    picture(tmp_path / place / name / "copy.png", 1, 1)
    picture(tmp_path / "light" / "._0.png", 0, 1)
    told: list[str] = []
    raw = read_all(tmp_path, told)
    assert raw.classes == ("dark", "light")
    assert (len(raw.train.labels_N), told) == (24, [])


@pytest.mark.parametrize("what", ["a class", "a folder in a class", "a picture"])
def test_pictures_behind_a_link_are_read_again_when_they_change(what: str, tmp_path: Path) -> None:
    root, away = folder(tmp_path / "pictures"), tmp_path / "away"
    place = {"a class": root / "light", "a folder in a class": root / "light" / "more",
             "a picture": root / "light" / "0.jpg"}[what]  # fmt: skip
    if what == "a folder in a class":
        picture(place / "0.png", 1, 7)
    away = away.with_suffix(place.suffix)
    place.rename(away)
    place.symlink_to(away)
    source = source_of(f"imagefolder:{root}")
    first = prepare("x", source, Request(Path()), cache=tmp_path / "cache")
    assert sum(size(rows) for rows in (first.train, first.validation, first.test)) == (
        25 if what == "a folder in a class" else 24)  # fmt: skip
    picture(away if what == "a picture" else away / "0.png", 1, 99)
    assert prepare("x", source, Request(Path()), cache=tmp_path / "cache").key != first.key


def test_a_link_that_leads_back_is_followed_once(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "dark" / "again").symlink_to(tmp_path / "dark")
    assert len(read_all(tmp_path).train.labels_N) == 24


def test_a_class_is_the_same_whichever_way_its_accents_are_written(tmp_path: Path) -> None:
    for split, form in (("train", "NFC"), ("val", "NFD")):
        folder(tmp_path / split)
        (tmp_path / split / "dark").rename(tmp_path / split / unicodedata.normalize(form, "grün"))
    raw = read_all(tmp_path)
    assert raw.classes == (unicodedata.normalize("NFC", "grün"), "light")
    assert raw.validation is not None
    assert raw.validation.labels_N.tolist() == raw.train.labels_N.tolist()


def test_pictures_that_are_all_alike_have_their_own_message(tmp_path: Path) -> None:
    for name in ("dark", "light"):
        for number in range(3):
            picture(tmp_path / name / f"{number}.png", 0, 5)
    with pytest.raises(UnusableData, match="has pictures that are all alike"):
        read_all(tmp_path)


def absent(root: Path) -> Path:
    return root / "nothing"


def a_file(root: Path) -> Path:
    (root / "file").write_text("")
    return root / "file"


def empty(root: Path) -> Path:
    return root


def one_class(root: Path) -> Path:
    picture(root / "dark" / "1.png", 0, 1)
    return root


def empty_class(root: Path) -> Path:
    folder(root)
    (root / "nobody").mkdir()
    return root


def broken(root: Path) -> Path:
    folder(root)
    (root / "dark" / "bad.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return root


def cut_off(root: Path) -> Path:
    folder(root)
    whole = (root / "dark" / "0.jpg").read_bytes()
    (root / "dark" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    return root


def foreign_class(root: Path) -> Path:
    folder(root / "train")
    folder(root / "test", 4)
    picture(root / "test" / "blue" / "1.png", 0, 1)
    return root


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (absent, "does not exist"),
        (a_file, "is a file"),
        (empty, "has 0 class folders"),
        (one_class, "has 1 class folders"),
        (empty_class, "no pictures of class 'nobody'"),
        (broken, r"bad\.jpg: cannot be read"),
        (cut_off, r"cut\.jpg: cannot be read"),
        (foreign_class, "class 'blue' in .*test only"),
    ],
)
def test_a_folder_that_is_not_right_names_the_file_or_class(
    make: Callable[[Path], Path], wrong: str, tmp_path: Path
) -> None:
    with pytest.raises(UnusableData, match=wrong):
        source_of(f"imagefolder:{make(tmp_path)}").load(Request(Path()))


def test_a_test_folder_without_classes_is_no_split(tmp_path: Path) -> None:
    folder(tmp_path / "train")
    picture(tmp_path / "test" / "1.png", 0, 1)
    source = source_of(f"imagefolder:{tmp_path}")
    with pytest.raises(UnusableData, match="has a split test without examples"):
        prepare("x", source, Request(Path()), cache=tmp_path / "cache")


def test_pictures_of_16_bits_keep_their_shades_and_real_numbers_are_refused(tmp_path: Path) -> None:
    for kind, shade in (("dark", 20_000), ("light", 40_000)):
        for number in range(4):
            place = tmp_path / "deep" / kind / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((20, 20), shade, np.uint16)).save(place)
    raw = source_of(f"imagefolder:{tmp_path / 'deep'}").load(Request(Path(), image_size=16))
    assert raw.train.examples_NX.shape == (8, 1, 16, 16)
    assert np.unique(raw.train.examples_NX).tolist() == [78, 156]
    Image.fromarray(np.zeros((20, 20), np.float32)).save(tmp_path / "deep" / "dark" / "real.tiff")
    with pytest.raises(UnusableData, match=r"real\.tiff.*real numbers: save it with 8 or 16 bits"):
        source_of(f"imagefolder:{tmp_path / 'deep'}").load(Request(Path(), image_size=16))
