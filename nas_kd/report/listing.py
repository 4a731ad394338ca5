"""Every setting of a search as a table: in a terminal, and for the documents."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas_kd.spec.listing import described

HEAD = ("setting", "unless said", "may be", "what it means")


def settings_table() -> Table:
    """A line for each setting."""
    table = Table(*HEAD, box=SIMPLE_HEAD, padding=(0, 1))
    for one in described():
        table.add_row(one.name, one.default, one.allowed, one.meaning)
    return table


def as_markdown() -> str:
    """The same as Markdown."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for one in described():
        default, allowed = (text.replace("|", "\\|") for text in (one.default, one.allowed))
        rows.append((f"`{one.name}`", f"`{default}`", allowed, one.meaning.replace("|", "\\|")))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
