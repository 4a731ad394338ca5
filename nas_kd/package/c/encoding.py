"""A table's row as a student takes it, in C: a struct with a field for each column."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nas_kd.data.columns import Column
from nas_kd.data.dates import part
from nas_kd.package.c.steps import number

MISSING = "STUDENT_MISSING"

WORDS = """
    auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while
    alignas alignof and asm bitand bitor bool catch class compl concept constexpr decltype delete
    explicit export false friend mutable namespace new noexcept not nullptr operator or private
    protected public requires template this throw true try typeid typename using virtual xor
"""
KEYWORDS = frozenset(WORDS.split())
"""Words that no field can be called, in C and in C++."""


def comment(text: str) -> str:
    """A text that can stand inside a comment."""
    plain = text.encode("ascii", "replace").decode().replace("\n", " ")
    return plain.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace("\\", "/")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a row, and what it holds."""

    kind: str
    name: str
    said: str


def identifiers(names: Sequence[str]) -> list[str]:
    """Names as C identifiers, all different."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"\W+", "_", name.lower(), flags=re.ASCII).strip("_")
        plain = plain if plain[:1].isalpha() else f"column_{plain}".rstrip("_")
        one, more = plain, 1
        while one in found or one in KEYWORDS:
            more += 1
            one = f"{plain}_{more}"
        found.append(one)
    return found


def fields_of(columns: Sequence[Column]) -> list[list[Field]]:
    """The fields of each column: several of a date."""
    rough = [[*rough_fields(column)] for column in columns]
    names = iter(identifiers([one.name for fields in rough for one in fields]))
    return [[replace(one, name=next(names)) for one in fields] for fields in rough]


RANGES = {
    "year": "such as 2026", "month": "1 to 12", "day": "1 to 31",
    "weekday": "0 is Monday, 6 Sunday", "hour": "0 to 23",
}  # fmt: skip
"""What the parts of a date are, where a clock may count otherwise."""


def rough_fields(column: Column) -> Iterator[Field]:
    """A column's fields, whose names are not identifiers yet."""
    called = comment(repr(column.name))
    if column.date:
        for name in column.parts:
            yield Field("float", f"{column.name} {name}", f"{name} of {called}: {RANGES[name]}")
        said = f"1 where the date {called} is missing; its parts do not matter then"
        yield Field("int", f"{column.name} missing", said)
    elif column.words is None:
        gap = f"NAN where it is missing, which counts as {column.fill:.6g}"
        yield Field("float", column.name, f"{called}; {gap}")
    else:
        gap = f"; {MISSING} where it is missing" if column.flagged else ""
        said = f"{called}: one of the words below, or STUDENT_OTHER{gap}"
        yield Field("int", column.name, said)


def words_of(columns: Sequence[Column]) -> list[tuple[str, int, str]]:
    """A constant for each word of each column: its name, its number, and the word."""
    every = [(one.name, i, word) for one in columns for i, word in enumerate(one.words or ())]
    names = identifiers([f"student {name} {word}" for name, _, word in every])
    return [(one.upper(), i, word)
            for one, (_, i, word) in zip(names, every, strict=True)]  # fmt: skip


def encoding_declared(columns: Sequence[Column]) -> str:
    """The struct of a row, and the function that encodes it; nothing without columns."""
    if not columns:
        return ""
    fields = [one for each in fields_of(columns) for one in each]
    body = "\n".join(f"    {one.kind} {one.name}; /* {one.said} */" for one in fields)
    words = "".join(f"#define {name} {i} /* {comment(repr(word))} */\n"
                    for name, i, word in words_of(columns))  # fmt: skip
    return f"""
/* A row of the table. Fill every field: what is left out is 0, and not missing. */
#define STUDENT_OTHER (-1)
#define {MISSING} (-2)
{words}
struct student_row {{
{body}
}};

/* The row as an example [STUDENT_INPUTS]. */
void student_encode(const struct student_row *row, student_input *example);
"""


def encoding(columns: Sequence[Column]) -> str:
    """The function that encodes a row; nothing without columns."""
    if not columns:
        return ""
    lines: list[str] = []
    for column, fields in zip(columns, fields_of(columns), strict=True):
        lines += lines_of(column, [f"row->{one.name}" for one in fields])
    body = "\n".join(f"    *example++ = {line};" for line in lines)
    return f"""
void student_encode(const struct student_row *row, student_input *example)
{{
{body}
}}
"""


def lines_of(column: Column, fields: Sequence[str]) -> Iterator[str]:
    """What each feature of a column is, of its fields."""
    if column.date:
        for name, field in zip(column.parts, fields, strict=False):
            filled = number(float(part(name, np.array([column.fill]))[0]))
            yield f"{fields[-1]} ? {filled} : {field}"
        if column.flagged:
            yield f"{fields[-1]} ? 1.0f : 0.0f"
        return
    (field,) = fields
    if column.words is None:
        yield f"{field} != {field} ? {number(column.fill)} : {field}"
        if column.flagged:
            yield f"{field} != {field} ? 1.0f : 0.0f"
        return
    for i in range(len(column.words)):
        yield f"{field} == {i} ? 1.0f : 0.0f"
    if column.flagged:
        yield f"{field} == {MISSING} ? 1.0f : 0.0f"
