"""The shape of what a study's database carries, which is validated whenever it is read: files get
damaged, and somebody else may have written them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Stored:
    """What a trial carries beside its parameters and values."""

    student: str
    settings: str
    fill: Finite
    generation: Count
    parameters: Positive
    macs: Count
    bytes: Count | None = None
    ram: Count | None = None
    microseconds: Count | None = None
    duplicate_of: Count | None = None
    rungs: tuple[tuple[Positive, Share], ...] = ()
    seconds: Finite | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class OfTeacher:
    """What a study knows of a teacher."""

    target: str
    parts: tuple[Any, ...]
    width: int
    accuracy: Share | None
    parameters: Count | None
    macs: Count | None
    activations: Count | None
    seconds: Finite


@dataclass(frozen=True, slots=True)
class OfControl:
    """What a study knows of a control."""

    student: str
    settings: str
    trial: Count
    parameters: Positive
    macs: Count
    bytes: Count
    ram: Count
    accuracy: Share | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class OfData:
    """What a study knows of its data."""

    name: str
    key: str
    validation: Positive


@dataclass(frozen=True, slots=True)
class OfDriver:
    """Who drives a study, and until when unless it is renewed."""

    holder: str
    until: Finite = 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a study as a whole. What has no default is there before any trial."""

    spec: str
    cost: str
    budgets: Annotated[tuple[tuple[str, Annotated[float, Field(gt=0)]], ...], Field(min_length=1)]
    families: Annotated[tuple[str, ...], Field(min_length=1)]
    fixed: Positive
    epochs: Positive
    rungs: tuple[Positive, ...]
    data_root: str
    data: OfData
    teaching: str | None = None
    layer_terms: tuple[str, ...] = ()
    teachers: tuple[OfTeacher, ...] = ()
    chance: Share | None = None
    examples: Positive | None = None
    twin: OfControl | None = None
    driver: OfDriver | None = None
    finished: Count | None = None


_STORED, _FACTS, _CONTROL = (TypeAdapter[Any](kind) for kind in (Stored, Facts, OfControl))
_EACH = {
    name: TypeAdapter[Any](kind)
    for name, kind in get_type_hints(Facts, include_extras=True).items()
}


def expect_stored(attributes: Mapping[str, Any]) -> None:
    """Raise ValueError, saying what is wrong, where a trial's attributes are not those of one."""
    validated(_STORED, attributes)


def expect_each(facts: Mapping[str, Any]) -> None:
    """Raise ValueError, saying what is wrong, for a fact that is not of its kind."""
    for name, fact in facts.items():
        shape = _CONTROL if name.startswith("largest ") else _EACH.get(name)
        if shape is None:
            continue
        if fact is None:
            raise ValueError(f"{name}: null")
        validated(shape, fact, f"{name}.")


def expect_facts(facts: Mapping[str, Any]) -> None:
    """Raise ValueError, saying what is wrong, where a study lacks a fact that each has."""
    validated(_FACTS, facts)
    if facts["cost"] != facts["budgets"][0][0] or any(
        kind not in Stored.__dataclass_fields__ for kind, _ in facts["budgets"]
    ):
        raise ValueError("budgets: of a kind of cost that there is not")


def validated(shape: TypeAdapter[Any], found: Any, before: str = "") -> None:
    """Raise ValueError for what is not of this shape."""
    try:
        shape.validate_json(json.dumps(found), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = (before + ".".join(map(str, first["loc"]))).rstrip(".")
        raise ValueError(f"{place}: {first['msg']}") from None
    except (TypeError, RecursionError) as error:
        raise ValueError(f"{before}{error}") from None
