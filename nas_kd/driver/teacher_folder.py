"""Where a study keeps its teachers, and asking for them there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from nas_kd.data.arrays import ArrayRef
from nas_kd.errors import UnusableStudy, UnusableTeacher
from nas_kd.files import hashed
from nas_kd.records import read_record
from nas_kd.spec.teachers import BY, TRAINED, kind_of, parts_of, path_of
from nas_kd.study.folder import StudyFolder
from nas_kd.teachers.from_python import GIVEN
from nas_kd.teachers.layers import Layers
from nas_kd.teachers.signals import SignalsJob, check_teacher
from nas_kd.teachers.teacher import Teacher
from nas_kd.training.recipe import Recipe

WEIGHTS, CONFIG, ANSWERS = "weights.safetensors", "config.json", "answers.npy"


class Kept(BaseModel):
    """What is kept of a study's teacher and asked of it later; more stands beside."""

    target: str
    width: int
    sha256: str
    accuracy: float | None
    parameters: int | None
    macs: int | None
    activations: int | None
    seconds: float
    notes: list[str]
    file: str | None
    file_sha256: str | None


RIGHT = "Bring the study's folder teacher/ back as it was, or search in a new folder."


@dataclass(frozen=True, slots=True)
class Place:
    """Where one teacher of a study lies: alone in teacher/, one of several in teacher/1 and so on;
    the members of an ensemble in folders of the ensemble's."""

    path: Path

    @property
    def config(self) -> Path:
        """What is known of it; written last, so that it counts."""
        return self.path / CONFIG

    @property
    def answers(self) -> Path:
        """Its answers to the fixed rows."""
        return self.path / ANSWERS

    @property
    def weights(self) -> Path:
        """Its weights, if it is a network whose weights are kept."""
        return self.path / WEIGHTS

    def part(self, number: int) -> "Place":
        """The place of a member of an ensemble."""
        return Place(self.path / str(number + 1))

    def known(self) -> dict[str, Any] | None:
        """What is kept of the teacher, if it is ready. Raises UnusableStudy."""
        if not self.config.exists():
            return None
        read_record(Kept, self.config, RIGHT, UnusableStudy)
        return read_record(dict[str, Any], self.config, RIGHT, UnusableStudy)

    def kept_answers(self) -> ArrayRef:
        """The answers to the fixed rows. Raises UnusableStudy."""
        try:
            found = np.load(self.answers)
        except (OSError, ValueError) as error:
            wrong = f"cannot be read ({error})"
            raise UnusableStudy(str(self.answers), wrong, RIGHT) from error
        return ArrayRef.of(found, self.answers)


def places(folder: StudyFolder, count: int) -> tuple[Place, ...]:
    """Where the teachers of a study lie."""
    if count == 1:
        return (Place(folder.teacher),)
    return tuple(Place(folder.teacher / str(number + 1)) for number in range(count))


def all_ready(folder: StudyFolder, count: int) -> bool:
    """Whether a study has all of its teachers. Raises UnusableStudy."""
    return all(place.known() for place in places(folder, count))


def as_kept(place: Place, teacher: Teacher) -> Teacher:
    """The teacher as it was made, with what it is made of from the study's folder. Raises
    UnusableStudy."""
    if teacher.parts:
        parts = (as_kept(place.part(n), part) for n, part in enumerate(teacher.parts))
        return replace(teacher, parts=tuple(parts))
    facts = place.known()
    if facts is None:
        raise UnusableStudy(str(place.path), "is missing", RIGHT)
    return replace(teacher, weights=str(place.path / facts["file"]) if facts["file"] else None)


def is_here(teacher: Teacher) -> bool:
    """Whether a teacher can be asked in this process: not if it was given from Python in another
    one."""
    if teacher.parts:
        return all(map(is_here, teacher.parts))
    return not teacher.here or teacher.target in GIVEN


def signals_job(recipe: Recipe, teacher: Teacher, place: Place) -> SignalsJob:
    """The job that asks a study's own teacher. Raises UnusableStudy."""
    facts = place.known()
    if facts is None:
        raise UnusableStudy(str(place.path), "is missing", RIGHT)
    return SignalsJob(
        as_kept(place, teacher), facts["sha256"], place.kept_answers(), recipe.data,
        recipe.device, recipe.spec.plugins,
        Layers(recipe.spec.layer_terms, recipe.spec.teacher_layer),
    )  # fmt: skip


def expect_same_teachers(recipe: Recipe, folder: StudyFolder, wanted: Sequence[Teacher]) -> None:
    """Raise UnusableTeacher where a teacher that was not trained here, and can be asked here, is
    not the one that the study began with."""
    for teacher, place in zip(wanted, places(folder, len(wanted)), strict=True):
        expect_file(place, teacher)
        if teacher.kind != TRAINED and is_here(teacher):
            check_teacher(signals_job(recipe, teacher, place))


def expect_file(place: Place, teacher: Teacher) -> None:
    """Raise UnusableTeacher if the named file is not the one that the study began with. A file that
    is gone is not compared: the study has a copy."""
    for number, part in enumerate(teacher.parts):
        expect_file(place.part(number), part)
    facts = place.known()
    named = path_of(teacher.target) is None
    if not facts or teacher.weights is None or not (named or Path(teacher.weights).exists()):
        return
    if file_hash(teacher.weights) != facts["file_sha256"]:
        flag = "--teacher-weights" if named else "--teacher"
        raise UnusableTeacher(
            f"{flag} {teacher.weights}",
            "is not the file that this study's teacher came from",
            "Leave it out, for a study keeps its teacher, or name a new folder with --study.",
        )


def file_hash(path: str) -> str:
    """Hash of a file's bytes. Raises UnusableTeacher if it cannot be read."""
    try:
        return hashed(Path(path))
    except OSError as error:
        right = "Name the file of its weights, .safetensors or .pt."
        wrong = f"cannot be read ({error.strerror})"
        raise UnusableTeacher(f"--teacher-weights {path}", wrong, right) from error


def kept_weights(folder: StudyFolder, count: int) -> tuple[Path, ...]:
    """The study's own copies of the files that --teacher-weights named, in order."""
    return tuple(path for place in places(folder, count) for path in copies(place))


def copies(place: Place) -> Iterator[Path]:
    """The copies of the weight files of a teacher, or of the members of an ensemble."""
    facts = place.known()
    if not facts:
        return
    for number in range(len(facts["parts"])):
        yield from copies(place.part(number))
    if facts["weights"] and path_of(facts["target"]) is None and not facts["parts"]:
        yield place.path / WEIGHTS


def kept_names(folder: StudyFolder, names: Sequence[str]) -> tuple[str, ...]:
    """The name of a study's teacher, with the study's own copy where it is a file. Several keep
    their names, which trials have among their settings."""
    if len(names) != 1:
        return tuple(names)
    (place,) = places(folder, 1)
    return (kept_name(place, names[0]),)


def kept_name(place: Place, name: str) -> str:
    """The name of a teacher by where the study has its file. Raises UnusableStudy."""
    names = parts_of(name)
    if len(names) > 1:
        return BY.join(kept_name(place.part(n), one) for n, one in enumerate(names))
    facts = place.known()
    if path_of(name) is None or not facts:
        return name
    return f"{kind_of(name)}:{place.path / facts['file']}"
