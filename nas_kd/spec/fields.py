"""What a setting may be: reading what people write, and checking it, for pydantic."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from nas_kd.costs.budgets import parse_budgets
from nas_kd.data import source_of
from nas_kd.errors import NasKDError, UnknownName, Unusable, UnusableBudget
from nas_kd.files import expect_utf8
from nas_kd.knowledge.mixture import written
from nas_kd.registry import Registry
from nas_kd.spec.teachers import placed_teacher
from nas_kd.students import FAMILIES

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


SUFFIXES = {".npz": "npz", ".csv": "csv", ".parquet": "parquet"}
"""Kinds of places, by the end of a file's name."""


def placed_unlabelled(said: int | str) -> int | str:
    """A number, or the place of unlabelled examples with its kind and its path from the root on.

    Raises ValueError.
    """
    if isinstance(said, int):
        if not 0 <= said <= MOST_EXAMPLES:
            raise ValueError(f"must be a number of examples up to {MOST_EXAMPLES:,}, or a place")
        return said
    path = Path(said).expanduser()
    if said.partition(":")[0] in PLACES or (":" in said and not path.exists()):
        text = said
    elif path.is_dir():
        text = f"imagefolder:{said}"
    elif kind := SUFFIXES.get(path.suffix.lower()):
        text = f"{kind}:{said}"
    else:
        forms = "a folder of pictures, an .npz, a .csv or .parquet, or module:function"
        raise ValueError(f"is no number and no place; say {forms}")
    try:
        return placed(text)
    except Unusable as error:
        raise ValueError(str(error)) from None


MOST_EXAMPLES = 10_000_000
"""Of examples that a source is to make: more are a slip."""

MOST_CLASSES = 10_000
"""A number of classes that is meant for something else is more than this."""


def numbered_classes(said: Any) -> Any:
    """Names of classes; a number stands for the names 0, 1 and so on. Raises ValueError."""
    number = isinstance(said, int) and not isinstance(said, bool)
    if number and not 2 <= said <= MOST_CLASSES:
        raise ValueError(f"must be two classes or more, and {MOST_CLASSES:,} at most")
    names = tuple(map(str, range(said) if number else listed(said)))
    if len(names) == 1 or len({*names}) < len(names):
        raise ValueError("must be two classes or more, each of another name")
    return names


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


def mixtures(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Mixtures of knowledge terms, each as it is always written. Raises ValueError."""
    try:
        found = tuple(map(written, texts))
    except NasKDError as error:
        raise ValueError(str(error)) from None
    if len({*found}) < len(found):
        raise ValueError("names one mixture twice")
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


def known_family(name: str | None) -> str | None:
    """The name of a family, if there is one. Raises ValueError."""
    return name if name is None else str(Known(FAMILIES)(name))


def known(registry: Registry[Any]) -> Any:
    """As a validator for pydantic."""
    return AfterValidator(Known(registry))


Names = Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)]
IntSetting = Annotated[int | tuple[int, int], BeforeValidator(paired)]
FloatSetting = Annotated[OneOrRange, BeforeValidator(paired)]
