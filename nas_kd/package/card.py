"""A package in words: its card, as Markdown."""

import json
from typing import Any

from nas_kd.intervals import interval_in_words
from nas_kd.metrics import metric_in_words, of_teachers
from nas_kd.spec.settings import as_text, beside_config, heading
from nas_kd.students.family import StudentConfig


def card_table(facts: dict[str, Any]) -> str:
    """The student's figures, as a table in Markdown."""
    seen, metric = facts["validation"], metric_in_words(facts["metric"])
    mean, std = (
        ", ".join(f"{value:.3g}" for value in facts["input"][name]) for name in ("mean", "std")
    )
    settings = "\n".join(
        f"| {heading(name)} | {as_text(name, value)} |"
        for name, value in beside_config(facts["settings"]).items()
    )
    return f"""| | |
|---|---|
| validation {metric} | {interval_in_words(seen["accuracy"], seen["examples"])}, 95% interval |
| {"validation" if metric == "accuracy" else "as sure as of"} examples | {seen["examples"]:,} |
{settings}
| epochs | {facts["epochs"]} |
| input | {"x".join(map(str, facts["input"]["shape"]))}; the student normalises |
| values | as stored: mean {mean}, deviation {std} |
| classes | {len(facts["classes"])} |"""


def card(facts: dict[str, Any], evaluations: list[dict[str, Any]]) -> str:
    """The package in words."""
    student = facts["student"]
    bounds = " and ".join(f"{bound:,.0f} {cost}" for cost, bound in facts["budgets"])
    size_of = ", ".join(f"{value:,} {name}" for name, value in facts["counts"].items())
    name = StudentConfig.from_json(json.dumps(student)).name()
    tests = "".join(
        f"\n- {one['when']}: {100 * one['accuracy']:.2f}% of {one['examples']:,} examples"
        for one in evaluations
    )
    teacher = f"a teacher of {facts['teacher']['parameters']:,} parameters"
    origin = (
        f"It was trained by distillation from {teacher}"
        if facts["settings"]["alpha"] > 0
        else f"It was trained on the labels alone, without {teacher}"
    )
    notes = "".join(f"- The data: {note}.\n" for note in facts["data"].get("notes", ()))
    notes += "\n" * bool(notes)
    measured, reached = of_teachers(facts["metric"]), 100 * facts["teacher"]["accuracy"]
    whose = f"{metric_in_words(measured)} {reached:.2f}%"
    return f"""# {name} for {facts["data"]["name"]}

A student network within {bounds}: {size_of}.
{origin} ({whose} on the same validation examples).

{card_table(facts)}

The student was chosen on the validation examples, so that accuracy leans upward. It was scored on
the test split {len(evaluations)} {"time" if len(evaluations) == 1 else "times"}.{tests}

{notes}Bytes are those of weights and of one bias a channel, norms folded; a file's header comes on
top.

Load it, counted and proved again:

    from nas_kd import load_student
    student = load_student(".")   # the path of this folder
    logits = student(examples)    # values as stored, not scaled to 0..1: see the table

Made by nas-kd {facts["versions"]["nas-kd"]}, torch {facts["versions"]["torch"]}, trial
{facts["trial"]} of its study.
"""
