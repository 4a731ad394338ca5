"""Every setting of a spec in words: what it is unless said, what it may be, and what it means."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic.fields import FieldInfo

from nas_kd.knowledge import KNOWLEDGE
from nas_kd.spec.fields import Known, Within
from nas_kd.spec.settings import BUILT_IN, SETTINGS
from nas_kd.spec.spec import StudySpec
from nas_kd.students import FAMILIES


@dataclass(frozen=True, slots=True)
class Described:
    """A setting in words."""

    name: str
    default: str
    allowed: str
    meaning: str


def described() -> Iterator[Described]:
    """Every setting, in the order of the spec."""
    for name, field in StudySpec.model_fields.items():
        meaning = " ".join((field.description or "").split())
        yield Described(name, default_in_words(field), allowed_in_words(name, field), meaning)


def default_in_words(field: FieldInfo) -> str:
    """What a setting is unless it is said, as in TOML."""
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True, validated_data={})
    return "unset" if value is None else json.dumps(value)


def allowed_in_words(name: str, field: FieldInfo) -> str:
    """What a setting may be, where a number, a list of names or of words says it."""
    if name == "options":
        every = {n: v for family in FAMILIES.values() for n, v in family.options.items()}
        return "; ".join(f"{n}: {', '.join(map(json.dumps, v))}" for n, v in every.items())
    if name == "settings":
        own = {n: row.searched for n, row in SETTINGS.items() if n not in BUILT_IN}
        return "; ".join(f"{n}: {low} to {high}" for n, (low, *_, high) in own.items())
    if name == "knowledge":
        return ", ".join(KNOWLEDGE)
    for check in (getattr(one, "func", None) for one in field.metadata):
        if isinstance(check, Within):
            return f"{check.low:g} to {check.high:g}, or a pair"
        if isinstance(check, Known):
            return ", ".join(name for name in check.registry if ":" not in name)
    form = StudySpec.model_json_schema()["properties"][name]
    forms = [form, *form.get("anyOf", ())]
    if words := next((one["enum"] for one in forms if "enum" in one), None):
        return ", ".join(map(str, words))
    ends = (f"{text} {one[end]:g}" for one in forms for end, text in ENDS.items() if end in one)
    return " and ".join(ends)


ENDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
"""How JSON schemas call the ends of what a number may be."""
