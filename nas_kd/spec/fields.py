"""What a setting may be: reading what people write, and checking it, for pydantic."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from nas_kd.costs.budgets import parse_budgets
from nas_kd.data import source_of
from nas_kd.errors import NasKDError, UnknownName, Unusable, UnusableBudget
from nas_kd.files import expect_utf8
from nas_kd.registry import Registry
from nas_kd.spec.teachers import placed_teacher

Range = tuple[float, float]
OneOrRange = float | Range
"""One number fixes a setting, a pair searches it between both."""

PLACES = {"imagefolder", "npz", "csv", "parquet"}
"""Kinds of data that are named by a path."""


def listed(value: Any) -> Any:
    """A single value as a tuple of one; a list as a tuple."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def paired(value: Any) -> Any:
    """A list as a tuple, so that TOML's pairs are pairs."""
    return tuple(value) if isinstance(value, list) else value


def spoken(value: Any) -> Any:
    """A name, or several, as text: a class or a column can be called 3."""
    return tuple(map(worded, listed(value)))


def worded(value: Any) -> Any:
    """A position as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@dataclass(frozen=True, slots=True)
class Within:
    """A check that a setting, or both ends of it, lie within [low, high], in order."""

    low: float
    high: float

    def __call__(self, setting: OneOrRange) -> OneOrRange:
        """The setting. Raises ValueError."""
        ends = setting if isinstance(setting, tuple) else (setting, setting)
        if not self.low <= ends[0] <= ends[1] <= self.high:
            raise ValueError(f"must lie in [{self.low:g}, {self.high:g}], a pair in rising order")
        return setting


def within(low: float, high: float) -> Any:
    """As a validator for pydantic."""
    return AfterValidator(Within(low, high))


def readable(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Check that the budgets can be read; a share waits until the teacher is known."""
    try:
        parse_budgets(texts, teacher=1)
    except UnusableBudget as error:
        raise ValueError(str(error)) from None
    return texts


def reachable(text: str) -> str:
    """Check that a data source's name is known, or has a form that names a place."""
    try:
        source_of(text)
    except UnknownName as error:
        forms = "or imagefolder:PATH, npz:PATH, csv:PATH, parquet:PATH, module:function"
        raise ValueError(f"{str(error).rstrip('.')}; {forms}") from None
    try:
        return placed(text)
    except Unusable as error:
        raise ValueError(str(error)) from None


def placed(text: str) -> str:
    """The name of data with its path, if it has one, from the root on."""
    kind, _, rest = text.partition(":")
    if kind in PLACES and rest:
        return f"{kind}:{expect_utf8(Path(rest).expanduser().resolve())}"
    return text


def placed_teachers(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of teachers, with the paths of files from the root on. Raises ValueError."""
    try:
        found = tuple(map(placed_teacher, names))
    except Unusable as error:
        raise ValueError(str(error)) from None
    if len({*found}) < len(found):
        raise ValueError("names one teacher twice")
    return found


@dataclass(frozen=True, slots=True)
class Known:
    """A check that each name is in the registry."""

    registry: Registry[Any]

    def __call__(self, names: Any) -> Any:
        """The names. Raises ValueError."""
        for name in names if isinstance(names, tuple) else (names,):
            try:
                self.registry[name]
            except NasKDError as error:
                raise ValueError(str(error)) from None
        return names


def known(registry: Registry[Any]) -> Any:
    """As a validator for pydantic."""
    return AfterValidator(Known(registry))


Names = Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)]
IntSetting = Annotated[int | tuple[int, int], BeforeValidator(paired)]
FloatSetting = Annotated[OneOrRange, BeforeValidator(paired)]
