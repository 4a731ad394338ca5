"""SETTINGS: one row for each setting that a trial has beside its family and its family's options.

A row says how Optuna searches the setting, what a default student has, when it cannot matter, and
how people read it. Adding a setting is one row, here or in a plug-in: it is then in the search
space, in every trial's record, in tables, CSV, report and dashboard, and knowledge terms and
families that name it are given its value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from nas_kd.costs.budgets import COSTS, LATENCY
from nas_kd.knowledge import mixture
from nas_kd.registry import Registry
from nas_kd.spec.teachers import short_name
from nas_kd.students import FAMILIES
from nas_kd.students.family import Option

Value = Option
Sample = dict[str, Any]
"""A value for the family, for each setting, and for each option of the families."""


def logarithmic(low: float, high: float) -> BaseDistribution:
    """A range searched in equal ratios."""
    return FloatDistribution(low, high, log=True)


def linear(low: float, high: float) -> BaseDistribution:
    """A range searched in equal differences."""
    return FloatDistribution(low, high)


def shares(low: float, high: float) -> BaseDistribution:
    """A range in steps of 0.05, so that both ends are drawn; continuous if an end is off-step."""
    on_step = all(abs(20 * end - round(20 * end)) < 1e-9 for end in (low, high))
    return FloatDistribution(low, high, step=0.05 if on_step else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How one setting of a trial is searched, defaulted and read."""

    distribution: Callable[..., BaseDistribution]
    """Called with the two ends of a range; CategoricalDistribution for a setting of choices."""
    searched: tuple[Value, ...] = ()
    """The range [low, high], or the choices, that are searched where a spec does not name the
    setting. Settings that are fields of StudySpec have it there."""
    default: Value | None = None
    """What a default student has; None is the family's own, or the first choice."""
    inert: Callable[[Sample], bool] = lambda sample: False
    """Whether the setting cannot matter, given the other values of a sample."""
    neutral: Value | None = None
    """The value that the setting gets in a sample where it is inert, or the nearest value that
    the spec allows. None stands for the first choice, or for the low end of the range."""
    in_config: bool = False
    """Whether the student's config holds all that the setting decides: trials that differ in
    nothing else are equal, and tables show the config."""
    where_several: bool = False
    """Trials have the setting only where a spec offers several values."""
    heading: str = ""
    """What columns of tables call the setting; empty is its name with spaces."""
    read_as: Callable[[str], str] = str
    """A word as people read it."""
    digits: str = "g"
    """The format in which people read a number, as `format` takes it."""

    @property
    def of_choices(self) -> bool:
        """Whether its values are choices, not numbers of a range."""
        return self.distribution is CategoricalDistribution


SETTINGS: Registry[Setting] = Registry(
    "setting",
    depth=Setting(distribution=IntDistribution, in_config=True),
    width=Setting(distribution=logarithmic, default=1.0, in_config=True),
    taper=Setting(
        distribution=logarithmic,
        inert=lambda sample: FAMILIES[sample["family"]].stages(sample["depth"]) == 1,
        neutral=1.0,
        in_config=True,
    ),
    knowledge=Setting(
        distribution=CategoricalDistribution, inert=lambda sample: sample["alpha"] == 0
    ),
    temperature=Setting(
        distribution=logarithmic,
        default=4.0,
        inert=lambda sample: sample["alpha"] == 0 or not mixture(sample["knowledge"]).tempered,
        neutral=1.0,
        heading="T",
        digits=".2f",
    ),
    teacher=Setting(
        distribution=CategoricalDistribution,
        inert=lambda sample: sample["alpha"] == 0,
        where_several=True,
        read_as=short_name,
    ),
    alpha=Setting(distribution=shares, default=0.9, digits=".2f"),
    learning_rate=Setting(distribution=logarithmic, default=0.02, digits=".4f"),
    bits=Setting(distribution=CategoricalDistribution, in_config=True),
)
"""Settings by name; `SETTINGS["mine"] = Setting(...)` adds one. A sample's inert settings are
found in this order."""


BUILT_IN = frozenset(SETTINGS)
"""The settings that are fields of StudySpec; the others belong to terms and families."""


def weight_inside(name: str, low: float, high: float, default: float) -> Setting:
    """A weight inside `dkd`, whose paper takes 1 for the target and 1 to 10 for the others."""

    def unread(sample: Sample) -> bool:
        return sample["alpha"] == 0 or name not in mixture(sample["knowledge"]).settings

    return Setting(
        distribution=logarithmic, searched=(low, high), default=default, inert=unread,
        neutral=default, digits=".2f",
    )  # fmt: skip


SETTINGS["target_weight"] = weight_inside("target_weight", 0.25, 4.0, 1.0)
SETTINGS["other_weight"] = weight_inside("other_weight", 0.5, 16.0, 2.0)

TAKEN = frozenset(
    {
        *COSTS, LATENCY, "number", "state", "accuracy", "cost", "fill", "seconds", "rungs",
        "generation", "duplicate_of", "note", "family", "channels", "options", "student",
        "settings", "fault",
    }
)  # fmt: skip
"""Names that a trial's record, and its row of a table, have already."""


def checked(name: str, said: Any) -> Any:
    """What a spec says of a setting from outside: a number, a range or a tuple of choices.

    Raises ValueError naming the setting for what it cannot be, UnknownName.
    """
    row = SETTINGS[name]
    options = {option for family in FAMILIES.values() for option in family.options}
    if not name.isidentifier() or name in TAKEN | options:
        raise ValueError(f"{name!r} cannot be the name of a setting: it is taken, or no word")
    several = tuple(said) if isinstance(said, list | tuple) else (said,)
    try:
        if row.of_choices:
            return choices(row, several)
        kept = ends(row, several)
        for value in (*several, *(() if row.default is None else (row.default,))):
            format(value, row.digits)
        return kept
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error


def choices(row: Setting, several: tuple[Any, ...]) -> tuple[Any, ...]:
    """Some of the choices of a setting. Raises ValueError."""
    if not all(isinstance(value, str | int | float | bool) for value in row.searched):
        raise ValueError("its choices must be words, numbers, true or false")
    if not several or not {*several} <= {*row.searched}:
        raise ValueError(f"must be of {', '.join(map(str, row.searched))}")
    return several


def ends(row: Setting, several: tuple[Any, ...]) -> Any:
    """A number, or the two ends of a range. Raises ValueError."""
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in several)
    if not numbers or len(several) not in (1, 2) or not all(map(isfinite, several)):
        raise ValueError("must be a number, or a pair [low, high]")
    asked: Any = row.distribution(several[0], several[-1])
    if (asked.low, asked.high) != (several[0], several[-1]):
        raise ValueError(f"its values are {asked}")
    return several if len(several) == 2 else several[0]


def heading(name: str) -> str:
    """What columns of tables call a setting; one that is not registered here has its name."""
    row = SETTINGS.get(name)
    return row.heading if row and row.heading else name.replace("_", " ")


def as_text(name: str, value: Value) -> str:
    """A setting's value as people read it."""
    row = SETTINGS.get(name)
    if isinstance(value, str | bool):
        plain = row.read_as if row else str
        return str(value).lower() if isinstance(value, bool) else plain(value)
    return format(value, row.digits if row else "g")


def beside_config(settings: Mapping[str, Value]) -> dict[str, Value]:
    """The settings that a student's config does not show: what tables have a column for."""
    return {n: v for n, v in settings.items() if not (n in SETTINGS and SETTINGS[n].in_config)}


def settings_in_words(settings: Mapping[str, Value]) -> str:
    """Settings in one line: knowledge kl, T 4.00, alpha 0.90, learning rate 0.0200."""
    shown = beside_config(settings).items()
    return ", ".join(f"{heading(name)} {as_text(name, value)}" for name, value in shown)
