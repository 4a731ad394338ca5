"""What a setting may be: reading what people write, and checking it, for pydantic."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from nas_kd.costs.budgets import parse_budgets
from nas_kd.data import source_of
from nas_kd.errors import NasKDError, UnknownName, UnusableBudget
from nas_kd.registry import Registry

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


def worded(value: Any) -> Any:
    """A position as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def within(low: float, high: float) -> Any:
    """A check that a setting, or both ends of it, lie within [low, high], in order."""

    def check(setting: OneOrRange) -> OneOrRange:
        ends = setting if isinstance(setting, tuple) else (setting, setting)
        if not low <= ends[0] <= ends[1] <= high:
            raise ValueError(f"must lie in [{low:g}, {high:g}], a pair in rising order")
        return setting

    return AfterValidator(check)


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
    return placed(text)


def placed(text: str) -> str:
    """The name of data with its path, if it has one, from the root on."""
    kind, _, rest = text.partition(":")
    if kind in PLACES and rest:
        return f"{kind}:{Path(rest).expanduser().resolve()}"
    return text


def known(registry: Registry[Any]) -> Any:
    """A check that each name is in the registry."""

    def check(names: Any) -> Any:
        for name in names if isinstance(names, tuple) else (names,):
            try:
                registry[name]
            except NasKDError as error:
                raise ValueError(str(error)) from None
        return names

    return AfterValidator(check)


Names = Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)]
IntSetting = Annotated[int | tuple[int, int], BeforeValidator(paired)]
FloatSetting = Annotated[OneOrRange, BeforeValidator(paired)]
