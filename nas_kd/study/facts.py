"""The shape of what a study's database carries, which is validated whenever it is read: files get
damaged, and somebody else may have written them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

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
class Facts:
    """What reading a study needs of it as a whole."""

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


_STORED, _FACTS, _CONTROL = (TypeAdapter[Any](kind) for kind in (Stored, Facts, OfControl))


def expect_stored(attributes: Mapping[str, Any]) -> None:
    """Raise ValueError, saying what is wrong, where a trial's attributes are not those of one."""
    validated(_STORED, attributes)


def expect_facts(facts: Mapping[str, Any]) -> None:
    """Raise ValueError, saying what is wrong, where a study's facts are not those of one."""
    validated(_FACTS, facts)
    for name, fact in facts.items():
        if name.startswith("largest "):
            validated(_CONTROL, fact, f"{name}.")
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
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{before}{place}: {first['msg']}") from None
    except (TypeError, RecursionError) as error:
        raise ValueError(f"{before}{error}") from None
