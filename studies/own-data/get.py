"""Writes twelve public data sets as files that nas-kd reads, from packages alone.

    python get.py PACKAGES FOLDER

PACKAGES is a folder with what the README's commands fetched; its archives are unpacked there.
"""

import gzip
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyreadr
from sklearn.datasets import load_breast_cancer

packages, sets = map(Path, sys.argv[1:])
sets.mkdir(parents=True, exist_ok=True)
for path in packages.glob("*.whl"):
    zipfile.ZipFile(path).extractall(packages)
for path in packages.glob("*.tgz"):
    with tarfile.open(path) as archive:
        archive.extractall(packages, filter="data")
for path in packages.glob("*.deb"):
    subprocess.run(["dpkg", "-x", path, packages], check=True)


def series(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The series [N, C, L] and the classes [N] of a .ts file."""
    rows, classes, lines = [], [], iter(path.read_text().splitlines())
    while not next(lines).lower().startswith("@data"):
        pass
    for line in filter(str.strip, lines):
        *channels, label = line.split(":")
        rows.append([[float(value) for value in one.split(",")] for one in channels])
        classes.append(label)
    return np.array(rows, np.float32), np.array(classes)


for name, stem in (
    ("ArrowHead", "ArrowHead"), ("BasicMotions", "BasicMotions"), ("GunPoint", "GunPoint"),
    ("ItalyPowerDemand", "ItalyPowerDemand"), ("OSULeaf", "OSULeaf"),
    ("JapaneseVowels", "JapaneseVowels_eq"),
):  # fmt: skip
    place = packages / "aeon" / "datasets" / "data" / name
    parts = [series(place / f"{stem}_{part}.ts") for part in ("TRAIN", "TEST")]
    x, y = (np.concatenate(both) for both in zip(*parts, strict=True))
    np.savez(sets / f"{name}.npz", X=x, y=y)
shutil.copy(packages / "palmerpenguins" / "data" / "penguins.csv", sets)
for name in ("birdstrikes.csv", "seattle-weather.csv"):
    shutil.copy(packages / "package" / "data" / name, sets)
frames = packages / "usr" / "lib" / "R" / "site-library" / "mlbench" / "data"
(letter,) = pyreadr.read_r(str(frames / "LetterRecognition.rda")).values()
letter.to_csv(sets / "letter.csv", index=False)
load_breast_cancer(as_frame=True).frame.to_csv(sets / "breast-cancer.csv", index=False)
raw = sets / "FashionMNIST" / "raw"
raw.mkdir(parents=True, exist_ok=True)
for path in (packages / "usr" / "share" / "datasets" / "fashion-mnist").rglob("*ubyte.gz"):
    (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
