"""What a confirm found, as a table."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas_kd.confirm.against import Against
from nas_kd.confirm.confirmation import Confirmation, Confirmed
from nas_kd.crossed import Estimate
from nas_kd.metrics import metric_in_words


def estimate_in_words(found: Estimate | None, signed: bool = False) -> str:
    """A mean with its interval, in points of a hundred: 92.20 (91.34 to 92.98)."""
    if found is None:
        return ""
    sign = "+" if signed else ""
    mean, low, high = (format(100 * x, f"{sign}.2f") for x in (found.mean, found.low, found.high))
    return f"{mean} ({low} to {high})"


def caption(metric: str, seeds: int, examples: int, epochs: str) -> str:
    """What stands behind the figures of a confirm."""
    words = metric_in_words(metric).capitalize()
    return (
        f"{words} on {examples:,} test examples, means of {seeds} seeds of {epochs} epochs, 95% "
        "intervals over seeds and examples."
    )


def columns(cost: str, metric: str) -> list[str]:
    """The columns of a confirm's table."""
    extra = [] if cost == "parameters" else [cost]
    shown = f"{metric_in_words(metric)}, %"
    return ["network", "student", "parameters", *extra, shown, "best minus it"]


def cells(cost: str, one: Confirmed) -> list[str]:
    """One student's cells."""
    kinds = ["parameters"] if cost == "parameters" else ["parameters", cost]
    counts = [f"{one.costs[kind]:,}" if kind in one.costs else "not counted" for kind in kinds]
    name = one.role if one.trial is None else f"{one.role} (trial {one.trial})"
    failed = sum(seed is None for seed in one.seeds)
    reached = estimate_in_words(one.reached) or "failed"
    if failed and one.reached:
        reached += f", {failed} of {len(one.seeds)} seeds failed"
    return [name, one.label, *counts, reached, estimate_in_words(one.behind, signed=True)]


def confirmed_rows(result: Confirmation) -> list[list[str]]:
    """The table of a confirm, a list of cells for each network."""
    blank = [""] * (len(columns(result.cost, result.metric)) - 4)
    teacher = "not known" if result.teacher is None else f"{100 * result.teacher:.2f}"
    rows = [cells(result.cost, one) for one in result.students]
    return [["teacher", "", *blank, teacher, ""], *rows]


def confirmed_table(result: Confirmation) -> Table:
    """The best student and its controls, side by side."""
    said = caption(result.metric, result.seeds, result.examples, str(result.epochs))
    head = columns(result.cost, result.metric)
    return table(said, head, confirmed_rows(result))


def against_table(result: Against) -> Table:
    """The best students of two studies."""
    epochs = " and ".join(map(str, dict.fromkeys(result.epochs)))
    said = caption(result.metric, result.seeds, result.examples, epochs)
    head = ["study", *columns("parameters", result.metric)[:-1]]
    rows = [
        [study, *cells("parameters", one)[:-1]]
        for study, one in zip(result.studies, result.students, strict=True)
    ]
    return table(said, head, rows)


def table(said: str, head: list[str], rows: list[list[str]]) -> Table:
    """Rows under their heads; words to the left, numbers to the right."""
    made = Table(box=SIMPLE_HEAD, caption=said, caption_justify="left", padding=(0, 1))
    for name in head:
        left = name in ("network", "student", "study")
        made.add_column(name, justify="left" if left else "right", overflow="fold")
    for row in rows:
        made.add_row(*row, style="bold" if row[0].startswith("best (") else None)
    return made
