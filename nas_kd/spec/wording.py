"""A spec's values as TOML and in words: what differs between two, and what is wrong with one."""

import json
from collections.abc import Mapping
from textwrap import shorten
from typing import Any

from nas_kd.errors import suggestion
from nas_kd.spec.fields import PLACES, listed
from nas_kd.spec.teachers import TEACHER_FILES, kind_of, parts_of


def as_toml(value: Any) -> str:
    """A value as TOML has it: JSON whose letters are not escaped, but for one that must be."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def said(value: Any) -> str:
    """A setting's value, or that it is left to the data."""
    return "unset" if value is None else str(value)


def moved(name: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether two settings differ only in the paths of files whose content is compared: of data, or
    of the one teacher or its members."""
    files = {"data": PLACES, "unlabelled": PLACES, "teacher": TEACHER_FILES.keys()}
    if name not in files or any(len(listed(one[name])) > 1 for one in (mine, theirs)):
        return False
    texts = [str(*listed(one[name])) for one in (mine, theirs)]
    both = [parts_of(text) if name == "teacher" else (text,) for text in texts]
    same = (a == b or kind_of(a) == kind_of(b) in files[name] for a, b in zip(*both, strict=False))
    return len(both[0]) == len(both[1]) and all(same)


def explain(problem: dict[str, Any], fields: tuple[str, ...]) -> str:
    """One problem in words: the setting, what is wrong, what was given."""
    name, inside = str(problem["loc"][0]), problem["loc"][1:]
    given = shorten(repr(problem["input"]), 200)
    if problem["type"] == "extra_forbidden":
        return f"{name}: is no setting.{suggestion(name, fields)}"
    if problem["type"] == "missing" and not inside:
        return f'{name}: is needed, for example {name} = "20k"'
    if inside and str(inside[0]) not in "0123456789":
        return f"{name}: must be a number, or a pair [low, high] (given: {given})"
    message = str(problem.get("ctx", {}).get("error") or problem["msg"]).rstrip(".")
    return f"{name}: {message} (given: {given})"
