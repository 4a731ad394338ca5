"""Folders that several studies share by what decides them: trained teachers, and their signals.

The first study that makes one keeps it in the cache; a later one takes it, if every file is as it
was written. Files are linked where they can be, else copied. Delete the cache whenever you like.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from nas_kd.files import cache_folder, write_text

NOTE = "shared.json"
"""In the cache, beside the files: whose they are, and the hash of each."""


def shared(kind: str, key: str) -> Path:
    """Where the cache has the folder of this kind and key."""
    return cache_folder() / kind / key


def keep(place: Path, kept: Path, study: str) -> None:
    """Keep a study's folder in the cache, unless it is there; `study` is the name of the study.

    A cache that cannot be written keeps nothing, for the study has what it needs.
    """
    if kept.exists():
        return
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, ignore_cleanup_errors=True) as temporary:
            files = sorted(path for path in place.iterdir() if path.is_file())
            for path in files:
                link(path, Path(temporary, path.name))
            facts = {"study": study, "files": {path.name: hashed(path) for path in files}}
            write_text(Path(temporary, NOTE), json.dumps(facts, indent=1))
            os.rename(temporary, kept)


def take(kept: Path, place: Path) -> str | None:
    """Put a folder of the cache at its place in a study; the name of the study that made it.

    None if the cache does not have it, or not as it was written: then it is removed there.
    """
    try:
        facts = json.loads((kept / NOTE).read_text())
        sound = all(hashed(kept / name) == value for name, value in facts["files"].items())
    except FileNotFoundError:
        return None
    if not sound:
        shutil.rmtree(kept, ignore_errors=True)
        return None
    place.mkdir(parents=True, exist_ok=True)
    for name in sorted(facts["files"], key=lambda name: name.endswith(".json")):  # it counts last
        (place / name).unlink(missing_ok=True)
        link(kept / name, place / name)
    return str(facts["study"])


def link(source: Path, target: Path) -> None:
    """One more name for a file, or a copy where the two places lie on different disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def hashed(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
