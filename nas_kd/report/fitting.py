"""What fits a budget, as a table: for each family its depths, its smallest and largest students."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas_kd.costs import Budget, Shape
from nas_kd.data import source_of
from nas_kd.data.transfer import prepare, shape_in_words
from nas_kd.spec import StudySpec
from nas_kd.students.decode import cost, counts, join
from nas_kd.students.family import StudentConfig
from nas_kd.study.space import resolve
from nas_kd.study.teaching import budgets_of


def what_fits(spec: StudySpec, data_root: Path) -> Table:
    """What fits the budgets of a spec on its data. Raises BudgetTooSmall, UnusableData."""
    data = prepare(spec.data, source_of(spec.data), spec.request(data_root), spec.split_seed)
    return fitting_table(spec, budgets_of(spec, data), data.input_shape, len(data.classes))


def fitting_table(
    spec: StudySpec, budgets: tuple[Budget, ...], input_shape: Shape, classes: int
) -> Table:
    """One line a family and depth. Raises BudgetTooSmall."""
    space = resolve(spec, budgets, input_shape, classes)
    low, high = space.depth
    shape = shape_in_words(input_shape)
    title = f"What fits {join(budgets)}: {shape}, {classes} classes, {low} to {high} blocks"
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1))
    for name in ("family", "blocks", "smallest", "largest", "parameters", "MACs", "bytes",
                 "unused"):  # fmt: skip
        table.add_column(name, justify="left" if name in ("family", "largest") else "right",
                         overflow="fold")  # fmt: skip
    for family in space.families:
        for depth in range(low, high + 1):
            sample = {"family": family, "depth": depth, "width": 1.0,
                      "taper": space.near("taper", 1.2)}  # fmt: skip
            table.add_row(*cells(space.student(sample), space.smallest(family, depth), budgets[0]))
    for family, reason in space.left_out:
        table.add_row(family, "", "", f"left out: {reason}")
    return table


def cells(largest: StudentConfig, least: StudentConfig, budget: Budget) -> list[str]:
    """One line's cells."""
    size = counts(largest)
    return [
        largest.family,
        str(largest.depth),
        f"{cost(least, budget):,}",
        largest.label(),
        f"{size.parameters:,}",
        f"{size.macs:,}",
        f"{size.weights * largest.bits // 8 + 4 * size.biases:,}",
        f"{1 - cost(largest, budget) / budget.bound:.1%}",
    ]
