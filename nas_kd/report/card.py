"""A card: one thing that a study has to say, with the numbers behind it; drawn alike everywhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import pandas as pd
from plotly.graph_objects import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nas_kd.intervals import Estimate

State = Literal["good", "look here", "bad", "not yet"]
COLOURS = {"good": "green", "look here": "yellow", "bad": "red", "not yet": "dim"}
LOW, HIGH = " low", " high"
"""A column `x` with its interval has two more, `x low` and `x high`, all in shares of one."""

DIFFERENCES = ("difference", "best minus it")
"""Columns of differences, which have a sign."""

WORDS = frozenset(
    {"network", "student", "family", "channels", "about", "what", "to do", "state", "of", "trial",
     "budget", "study", "measured on", "kind", "when"}
)  # fmt: skip
"""Columns of words, which begin at the left."""


@dataclass(frozen=True, slots=True)
class Card:
    """One thing that a study has to say."""

    name: str
    title: str
    subtitle: str
    """In one or two plain sentences."""
    state: State
    frame: pd.DataFrame
    """The numbers behind it, a row each; accuracies and differences are shares of one."""
    figure: Figure | None = None
    marked: tuple[int, ...] = ()
    """The rows of the frame that stand out."""

    def _ipython_display_(self) -> None:
        """Show it in a notebook, its figure below it."""
        from IPython.display import HTML, display

        display(HTML(html(self)))
        if self.figure is not None:
            display(self.figure)

    def __rich__(self) -> RenderableType:
        """What a terminal shows of it."""
        return Group(self.headline(), *([] if self.frame.empty else [table(self)]))

    def headline(self) -> Group:
        """Its title, state and subtitle in a terminal."""
        head = Text.assemble((self.title, "bold"), "  ", (self.state, COLOURS[self.state]))
        return Group(head, Text(self.subtitle))


def interval_columns(name: str, found: Estimate | None) -> dict[str, float | None]:
    """A mean and its interval as three columns of a frame."""
    if found is None:
        return {name: None, f"{name}{LOW}": None, f"{name}{HIGH}": None}
    return {name: found.mean, f"{name}{LOW}": found.low, f"{name}{HIGH}": found.high}


def differences_frame(rows: Mapping[str, Estimate | None], measured_on: str) -> pd.DataFrame:
    """Differences with their intervals, a row each."""
    return pd.DataFrame([
        {"of": name, "measured on": measured_on, **interval_columns("difference", found)}
        for name, found in rows.items()
    ])  # fmt: skip


def state_of(signs: Sequence[int], doubts: bool) -> State:
    """Bad where anything was lost, good where anything was gained, else a look is due."""
    if -1 in signs:
        return "bad"
    return "look here" if doubts or 1 not in signs else "good"


def shown(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """The heads and cells of a frame as people read them: a number and its interval in one cell."""
    heads = [str(name) for name in frame.columns]
    kept = [name for name in heads if not name.endswith((LOW, HIGH))]
    sure = {name for name in kept if f"{name}{LOW}" in heads}
    rows = [[cell(name, row, name in sure) for name in kept] for _, row in frame.iterrows()]
    units = {name: "points" if name in DIFFERENCES else "%" for name in sure}
    return [f"{name}, {units[name]}" if name in sure else name for name in kept], rows


def cell(name: str, row: "pd.Series[Any]", sure: bool) -> str:
    """One cell as people read it."""
    value = row[name]
    if value is None or value != value:
        return ""
    if sure:
        low, high = (row[f"{name}{end}"] for end in (LOW, HIGH))
        if pd.isna(low) or pd.isna(high):
            return f"{100 * float(value):.2f}"
        found = Estimate(float(value), float(low), float(high))
        return found.in_words(sign="+" if name in DIFFERENCES else "")
    if isinstance(value, str):
        return value
    number = float(str(value))
    if name == "times smaller":
        return times(number)
    if name.startswith("share"):
        return f"{number:.1%}"
    if number == int(number) and abs(number) >= 1:
        return f"{int(number):,}"
    return f"{number:.1f}" if abs(number) >= 1 else f"{number:.2g}"


def times(smaller: float) -> str:
    """How many times smaller a network is: 20.4, or of a larger one 0.049."""
    return f"{smaller:.1f}" if smaller >= 1 else f"{smaller:.2g}"


def table(card: Card) -> Table:
    """A card's frame in a terminal."""
    heads, rows = shown(card.frame)
    made = Table(box=SIMPLE_HEAD, padding=(0, 1))
    for head in heads:
        made.add_column(head, justify="left" if head in WORDS else "right", overflow="fold")
    for number, row in enumerate(rows):
        made.add_row(*map(Text, row), style="bold" if number in card.marked else None)
    return made


def html(card: Card) -> str:
    """A card as HTML, without its figure."""
    heads, rows = shown(card.frame)
    kinds = ["best" if number in card.marked else "" for number in range(len(rows))]
    body = html_table(heads, zip(kinds, rows, strict=True)) if rows else ""
    state = card.state.replace(" ", "-")
    return (
        f'<h2>{escape(card.title)} <span class="state {state}">{card.state}</span></h2>'
        f"<p>{escape(card.subtitle)}</p>{body}"
    )


def html_table(head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """An HTML table; each row has a class and its cells. On a narrow screen each cell stands with
    its column's name."""
    top = "".join(
        f'<th class="{"word" if name in WORDS else ""}">{escape(name)}</th>' for name in head
    )
    body = "".join(
        f'<tr class="{kind}">{"".join(map(html_cell, head, row))}</tr>' for kind, row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def html_cell(name: str, text: str) -> str:
    """A cell of a table, and what its column is called."""
    kinds = [
        kind
        for kind, fits in (
            ("note", name in NOTES), ("word", name in WORDS), ("number", len(text) < NUMBER),
        )
        if fits
    ]  # fmt: skip
    kind = " ".join(kinds)
    return f'<td class="{kind}" data-name="{escape(name)}">{escape(text)}</td>'


NUMBER = 12
"""Shorter cells are never broken into lines."""

NOTES = ("state", "what", "to do")
"""Columns of sentences."""
