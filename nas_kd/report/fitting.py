"""What fits a budget: for each family its depths, its smallest and largest students, as a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas_kd.costs.budgets import COSTS, Budget
from nas_kd.data import source_of
from nas_kd.data.transfer import prepare, shape_in_words
from nas_kd.driver.teacher_names import budgets_of
from nas_kd.space.resolve import resolve
from nas_kd.space.space import Space, only_depth
from nas_kd.spec import StudySpec
from nas_kd.students.decode import cost, counts, join
from nas_kd.students.family import StudentConfig

EXAMPLES = (0.2, 0.5, 1.0)
"""Widths of the students that are shown."""


def what_fits(spec: StudySpec, data_root: Path) -> Space:
    """The space of a spec on its data. Raises BudgetTooSmall, UnusableData."""
    data = prepare(spec.data, source_of(spec.data), spec.request(data_root), spec.split_seed)
    return resolve(spec, budgets_of(spec, data), data.input_shape, len(data.classes))


@dataclass(frozen=True, slots=True)
class Fit:
    """A family at a depth: its smallest student and some that fit, the largest last."""

    smallest: StudentConfig
    students: tuple[StudentConfig, ...]

    @property
    def largest(self) -> StudentConfig:
        """The student of width 1."""
        return self.students[-1]

    def bound_by(self, budgets: tuple[Budget, ...]) -> Budget:
        """The budget that the largest student fills most."""
        return max(budgets, key=lambda budget: cost(self.largest, budget) / budget.bound)


def fits_of(space: Space, widths: tuple[float, ...]) -> Iterator[Fit]:
    """Every family at every depth, with its first options and default taper."""
    low, high = space.depth
    for family in space.families:
        only = only_depth(family)
        for depth in [only] if only else range(low, high + 1):
            shape = {"family": family, "depth": depth, "taper": space.near("taper", 1.2)}
            samples = (space.defaults() | shape | {"width": width} for width in widths)
            students = map(space.student, samples)
            yield Fit(space.smallest(family, depth), tuple(students))


def fitting_table(space: Space) -> Table:
    """One line a family and depth."""
    low, high = space.depth
    title = (
        f"What fits {join(space.budgets)}: {shape_in_words(space.input_shape)}, {space.classes} "
        f"classes, {low} to {high} blocks"
    )
    widths = ", ".join(f"{width:g}" for width in EXAMPLES)
    table = Table(
        box=SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1), caption_justify="left",
        caption=f"Examples at width {widths}; the figures are those of the last, the largest.",
    )  # fmt: skip
    for name in ("family", "blocks", "smallest", "examples", "parameters", "MACs", "bytes", "RAM",
                 "bound by"):  # fmt: skip
        left = name in ("family", "examples", "bound by")
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    for fit in fits_of(space, EXAMPLES):
        table.add_row(*cells(fit, space.budgets))
    for family, reason in space.left_out:
        table.add_row(family, "", "", f"left out: {reason}")
    return table


def cells(fit: Fit, budgets: tuple[Budget, ...]) -> list[str]:
    """One line's cells."""
    size, bits, budget = counts(fit.largest), fit.largest.bits, fit.bound_by(budgets)
    return [
        fit.largest.family,
        str(fit.largest.depth),
        f"{cost(fit.smallest, budgets[0]):,}",
        "\n".join(student.label() for student in fit.students),
        *(f"{COSTS[kind](size, bits):,}" for kind in ("parameters", "macs", "bytes", "ram")),
        f"{budget.cost}, {cost(fit.largest, budget) / budget.bound:.1%}",
    ]
