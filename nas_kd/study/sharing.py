"""Trained teachers and their signals in the cache, for studies with the same data and settings on
the same kind of processor.

The study that makes one shares it; a later one takes it if every file is as it was written. Files
are linked where they can be, else copied. The cache may be deleted at any time.
"""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from nas_kd.errors import Unwritable
from nas_kd.files import TEMPORARY, cache_folder, hashed, replace, write_text

NOTE = "shared.json"
"""In the cache, beside the files: whose they are, and the hash of each."""


def cached(kind: str, key: str) -> Path:
    """Where the cache has the folder of this kind and key."""
    return cache_folder() / kind / key


def share(place: Path, kept: Path, study: str) -> None:
    """Put a folder of the study of this name into the cache, unless it is there.

    A cache that cannot be written gets nothing; the study has what it needs.
    """
    if kept.exists():
        return
    with contextlib.suppress(OSError, Unwritable):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, ignore_cleanup_errors=True) as temporary:
            files = sorted(
                path
                for path in place.iterdir()
                if path.is_file() and not TEMPORARY.fullmatch(path.name)
            )
            for path in files:
                link(path, Path(temporary, path.name))
            facts = {"study": study, "files": {path.name: hashed(path) for path in files}}
            write_text(Path(temporary, NOTE), json.dumps(facts, indent=1))
            Path(temporary).chmod(kept.parent.stat().st_mode)  # others may share the cache
            os.rename(temporary, kept)


def take(kept: Path, place: Path) -> str | None:
    """Put a folder of the cache at its place in a study; the name of the study that made it.

    None if the cache does not have it, or not as it was written: then it is removed there.
    Raises Unwritable if the study has no room for it.
    """
    if not kept.exists():
        return None
    try:
        facts = json.loads((kept / NOTE).read_text())
        names, study = [*facts["files"]], str(facts["study"])
        plain = all(Path(name).name == name != NOTE for name in names)  # none leads elsewhere
        sound = plain and all(hashed(kept / name) == facts["files"][name] for name in names)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        shutil.rmtree(kept, ignore_errors=True)
        return None
    place.mkdir(parents=True, exist_ok=True)
    for name in sorted(names, key=lambda name: name.endswith(".json")):  # which counts, so last
        link(kept / name, place / name)
    return study


def link(source: Path, target: Path) -> None:
    """Give a file one more name, or copy it where the places lie on different disks."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        with source.open("rb") as file:
            replace(target, lambda copy: shutil.copyfileobj(file, copy))
