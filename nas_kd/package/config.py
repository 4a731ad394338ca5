"""What a package says of its student: the form of its config.json, and reading it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from nas_kd.data.columns import Column
from nas_kd.errors import UnusablePackage
from nas_kd.files import expect_utf8
from nas_kd.records import read_record
from nas_kd.students.family import MOST, Option, StudentConfig

FILES = ("config.json", "weights.safetensors", "proof.safetensors", "proof.json", "card.md")
SCHEMA = 5
"""The form of a package's config.json. No other was released."""


class Input(BaseModel):
    """What a student takes."""

    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    columns: tuple[Column, ...]


class Judged(BaseModel):
    """How well it does on the validation examples."""

    accuracy: float
    examples: int


class Tested(BaseModel):
    """What a confirm found of the student: trained anew with several seeds, of which the package
    has the first that did not fail, and scored on the test split."""

    mean: float
    low: float
    high: float
    examples: int
    seeds: int
    seed: int


class InIntegers(BaseModel):
    """What a student of 32 bits costs in 8, and how well it does on the validation examples."""

    accuracy: float
    examples: int
    counts: dict[str, int]


class Taught(BaseModel):
    """Who taught it."""

    target: str
    sha256: str
    accuracy: float | None
    parameters: int | None


class Learned(BaseModel):
    """What it learned from: its study's data, as they were asked for and cut."""

    name: str
    key: str
    notes: tuple[str, ...]
    split_seed: Annotated[int, Field(ge=0, le=1_000_000)]
    views: int
    unlabelled: Annotated[int, Field(ge=0, le=MOST)] | str
    munge: float
    teacher_classes: tuple[str, ...]
    image_size: int
    layout: str
    label: str | None
    group: str | None
    drop: tuple[str, ...]
    keep: tuple[str, ...]
    drop_classes: tuple[str, ...]
    words: int
    validation: Annotated[float, Field(gt=0, lt=1)] | None


class Config(BaseModel):
    """What a package's config.json has, beside its schema."""

    student: StudentConfig
    input: Input
    classes: tuple[str, ...]
    counts: dict[str, float]
    budgets: tuple[tuple[str, float], ...]
    metric: str
    validation: Judged
    """Of the trial, as the search trained it."""
    confirmed: Tested | None
    settings: dict[str, Option]
    epochs: int
    scheme: str
    teaching: str
    """Who teaches in it, where that is no fixed teacher."""
    teacher: Taught | None
    """None in a scheme that has no fixed teacher."""
    data: Learned
    plugins: tuple[str, ...]
    int8: InIntegers | None
    """None for a student of 8 bits, and where no integers were asked for."""
    plain: str
    """Why there is no student.py; empty if there is one."""
    study: str
    trial: int
    versions: dict[str, str]

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if "nas-kd" not in self.versions:
            raise ValueError("versions has no nas-kd")
        if len(self.classes) != self.student.classes:
            raise ValueError("classes are not as many as the student tells apart")
        if lacks := {"parameters", *(cost for cost, _ in self.budgets)} - self.counts.keys():
            raise ValueError(f"counts has no {min(lacks)}")
        return self


def read_config(package: Path) -> dict[str, Any]:
    """A package's config. Raises UnusablePackage."""
    expect_utf8(package)
    right = "Name a folder that `nas-kd export` wrote."
    if missing := [name for name in FILES if not (package / name).exists()]:
        raise UnusablePackage(f"package {package}", f"has no {', '.join(missing)}", right)
    again = "Export it again with this version."
    config = package / "config.json"
    facts = read_record(dict[str, Any], config, again, UnusablePackage)
    if facts.get("schema") != SCHEMA:
        wrong = f"has schema {facts.get('schema')}, and this version of nas-kd reads {SCHEMA}"
        raise UnusablePackage(f"package {package}", wrong, again)
    read_record(Config, config, again, UnusablePackage)
    return facts


def columns_of(facts: Mapping[str, Any]) -> tuple[Column, ...]:
    """How the columns of a table become the examples of a package's student."""
    columns: tuple[Column, ...] = Input.model_validate(facts["input"]).columns
    return columns
