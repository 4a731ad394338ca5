"""The flat, static search space in which every sample fits the budgets."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from nas_kd.costs.budgets import Budget, Shape
from nas_kd.spec import StudySpec
from nas_kd.students import FAMILIES
from nas_kd.students.decode import chosen, decode, smallest
from nas_kd.students.family import Option, StudentConfig

Sample = dict[str, Any]
"""A value for each of family, depth, width, taper, temperature, alpha, learning_rate, knowledge."""

NOISE = 0.1
"""A measurement may be uncertain by this share of the bound."""


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

    def ends(self, name: str) -> tuple[float, float]:
        """The least and greatest value of a setting."""
        setting = self.depth if name == "depth" else getattr(self.spec, name)
        return setting if isinstance(setting, tuple) else (setting, setting)

    def near(self, name: str, value: float) -> float:
        """The allowed value nearest to `value`."""
        low, high = self.ends(name)
        return min(max(value, low), high)

    def smallest(
        self, family: str, depth: int, options: Mapping[str, Option] | None = None
    ) -> StudentConfig:
        """The smallest student of a family at a depth; with its first options unless said."""
        first = {name: values[0] for name, values in self.options.items()}
        return smallest(
            family,
            depth,
            self.input_shape,
            self.classes,
            self.spec.multiple_of,
            chosen(family, first | dict(options or {})),
        )

    def variants(self, family: str) -> list[dict[str, Option]]:
        """Every combination of the options of a family that can be drawn."""
        names = [name for name in self.options if name in FAMILIES[family].options]
        every = product(*(self.options[name] for name in names))
        return [dict(zip(names, values, strict=True)) for values in every]

    def student(self, sample: Sample) -> StudentConfig:
        """The student of a sample."""
        return decode(sample, self.budgets, self.input_shape, self.classes, self.spec.multiple_of)


def only_depth(family: str) -> int | None:
    """The depth of a family that has only one, whatever is asked; None if it has several."""
    depths = FAMILIES[family].depths
    return depths[0] if len(depths) == 1 else None
