"""The flat, static search space in which every sample fits the budgets."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from nas_kd.costs.budgets import Budget, Shape
from nas_kd.spec import StudySpec
from nas_kd.spec.settings import SETTINGS, Sample, Value
from nas_kd.students import FAMILIES
from nas_kd.students.decode import chosen, decode, smallest
from nas_kd.students.family import Option, StudentConfig


@dataclass(frozen=True, slots=True)
class Space:
    """The spec's settings, cut to what every kept family can build within the budgets."""

    spec: StudySpec
    budgets: tuple[Budget, ...]
    input_shape: Shape
    classes: int
    families: tuple[str, ...]
    depth: tuple[int, int]
    options: Mapping[str, tuple[Option, ...]]
    """What is chosen from, of each option of the families."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Families that are not searched, each with the reason."""

    def values(self, name: str) -> tuple[Any, ...]:
        """The two ends of a setting that is a number, or the choices of one that is not."""
        said = self.depth if name == "depth" else self.spec.setting(name)
        single = (said,) if SETTINGS[name].of_choices else (said, said)
        return said if isinstance(said, tuple) else single

    def ends(self, name: str) -> tuple[float, float]:
        """The least and greatest value of a setting that is a number."""
        low, high = self.values(name)
        return low, high

    def near(self, name: str, value: Value | None) -> Any:
        """The allowed value nearest to `value`; the first one where that is None."""
        values = self.values(name)
        if SETTINGS[name].of_choices:
            return value if value in values else values[0]
        low, high = values
        within = low if value is None else min(max(value, low), high)
        step = getattr(SETTINGS[name].distribution(low, high), "step", None)
        return within if step is None else low + step * round((within - low) / step)

    def defaults(self) -> Sample:
        """The first options, and of every setting its default, or what is nearest to it."""
        first = {name: values[0] for name, values in self.options.items()}
        return first | {name: self.near(name, row.default) for name, row in self.spec.rows.items()}

    def smallest(
        self, family: str, depth: int, options: Mapping[str, Option] | None = None
    ) -> StudentConfig:
        """The smallest student of a family at a depth, at the most bits; with its first options
        unless said."""
        return smallest(
            family,
            depth,
            self.input_shape,
            self.classes,
            self.spec.multiple_of,
            chosen(family, self.defaults() | dict(options or {})),
            max(self.values("bits")),
        )

    def variants(self, family: str) -> list[dict[str, Option]]:
        """Every combination of the options of a family that can be drawn, with both ends of each
        setting that it reads."""
        part = FAMILIES[family]
        values = {name: self.options[name] for name in self.options if name in part.options}
        values |= {name: tuple(dict.fromkeys(self.values(name))) for name in part.settings}
        every = product(*values.values())
        return [dict(zip(values, chosen, strict=True)) for chosen in every]

    def student(self, sample: Sample) -> StudentConfig:
        """The student of a sample."""
        return decode(sample, self.budgets, self.input_shape, self.classes, self.spec.multiple_of)


def only_depth(family: str) -> int | None:
    """The depth of a family that has only one, whatever is asked; None if it has several."""
    depths = FAMILIES[family].depths
    return depths[0] if len(depths) == 1 else None
