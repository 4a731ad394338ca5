"""A study's result.json as the tables of its README: python studies/tables.py studies/teachers

Differences are later arm minus earlier one, in points.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def interval(found: list[float] | None, sign: str = "") -> str:
    """Mean and interval: 89.81 (89.25 to 90.35)."""
    if found is None:
        return "failed"
    mean, low, high = (f"{x:{sign}.2f}" for x in found)
    return f"{mean} ({low} to {high})"


def arm_rows(found: Mapping[str, Any]) -> Iterator[str]:
    """A row for each arm."""
    for arm, facts in found["arms"].items():
        teacher = "" if facts["teacher"] is None else f"{100 * facts['teacher']:.2f}"
        cells = (
            arm, facts["student"], f"{facts['parameters']:,}", f"{facts['confirmed_epochs']}",
            teacher, interval(facts["test"]),
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def difference_rows(found: Mapping[str, Any]) -> Iterator[str]:
    """A row for each pair of arms."""
    for pair, difference in found["differences"].items():
        one, other = pair.split(" minus ")
        turned = difference and [-difference[0], -difference[2], -difference[1]]
        yield f"| {other} minus {one} | {interval(turned, '+')} |"


def tables(results: Mapping[str, Any]) -> Iterator[str]:
    """Both tables of each part."""
    for part, found in results.items():
        if not isinstance(found, dict) or "arms" not in found:
            continue
        yield f"\n**{part}**, {found['test_examples']:,} test examples, {found['seeds']} seeds:\n"
        yield "| arm | student | parameters | epochs | teacher | accuracy |"
        yield "|---|---|---|---|---|---|"
        yield from arm_rows(found)
        yield "\n| difference | points |\n|---|---|"
        yield from difference_rows(found)


if __name__ == "__main__":
    print(*tables(json.loads((Path(sys.argv[1]) / "result.json").read_text())), sep="\n")
