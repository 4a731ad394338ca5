"""proof.json: what a package claims of itself, in one readable file.

The class that each stored input gets, in float32 and in integers; the costs, counted again; and the
hash of every file. Whoever loads the package holds it against all of them. A hash shows damage and
mistakes; it is no signature, for it can be computed anew.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from nas_kd.errors import UnusablePackage
from nas_kd.files import hashed, write_text
from nas_kd.records import read_record

FILE = "proof.json"
SEALED = (
    "config.json", "weights.safetensors", "proof.safetensors", "student.py", "*.onnx", "c/*.h",
    "c/*.c", "c/Makefile", "c/README.md",
)  # fmt: skip
"""The files that stay as they were exported; the card and what counts the looks at the test split
are written again by `evaluate`."""


class Proof(BaseModel):
    """The form of proof.json."""

    model_config = ConfigDict(frozen=True)

    answers: dict[str, tuple[int, ...]]
    """The class of each input in proof.safetensors, by the arithmetic: float32, and int8 where
    there is one."""
    costs: dict[str, float]
    files: dict[str, str]
    """The SHA-256 of each file, by its path in the package."""


def files_of(package: Path) -> dict[str, str]:
    """The hash of each file of a package that stays as it is."""
    paths = [path for pattern in SEALED for path in sorted(package.glob(pattern))]
    return {path.relative_to(package).as_posix(): hashed(path) for path in paths}


def seal(package: Path, answers: dict[str, list[int]], costs: dict[str, Any]) -> None:
    """Write the proof of a package that is complete."""
    facts = {"answers": answers, "costs": costs, "files": files_of(package)}
    write_text(package / FILE, json.dumps(facts, indent=1))


def seal_again(package: Path) -> None:
    """Take the package's files as they are now: one was added."""
    proof = read_proof(package)
    answers = {name: list(classes) for name, classes in proof.answers.items()}
    seal(package, answers, dict(proof.costs))


def read_proof(package: Path) -> Proof:
    """The proof of a package. Raises UnusablePackage."""
    return read_record(Proof, package / FILE, "Export it again.", UnusablePackage)


def expect_whole(package: Path, answers: Mapping[str, list[int]], costs: Mapping[str, int]) -> None:
    """Raise UnusablePackage for a file that is missing or is another one, and for other answers or
    costs than the proof says."""
    proof = read_proof(package)
    right = "Export it again."
    if {name: list(classes) for name, classes in proof.answers.items()} != dict(answers):
        wrong = f"gives other classes to its inputs than {FILE} says"
        raise UnusablePackage(f"package {package}", wrong, right)
    if dict(proof.costs) != dict(costs):
        raise UnusablePackage(f"package {package}", f"has other costs than {FILE} says", right)
    kept, found = dict(proof.files), files_of(package)
    said = [f"{name} is missing" for name in kept.keys() - found.keys()]
    said += [f"{name} is not the file that was exported" for name in kept.keys() & found.keys()
             if kept[name] != found[name]]  # fmt: skip
    if said:
        right = "Bring it back as it was, or export again."
        raise UnusablePackage(f"package {package}", "; ".join(sorted(said)), right)
