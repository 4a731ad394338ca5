"""A package in words: its card, as Markdown."""

import json
from html import escape
from typing import Any

from nas_kd.costs.budgets import WHOLE
from nas_kd.data.columns import column_in_words
from nas_kd.intervals import Estimate, interval_in_words
from nas_kd.metrics import metric_in_words, of_teachers
from nas_kd.package.config import columns_of
from nas_kd.spec.settings import as_text, beside_config, heading
from nas_kd.students.family import StudentConfig

NAMED = 20
"""Classes that a card names."""


def safe(text: object) -> str:
    """A text of the user's data as it is read: no HTML, and no end of a table's cell."""
    return escape(" ".join(str(text).split()), quote=False).replace("|", "\\|")


def card_table(facts: dict[str, Any]) -> str:
    """The student's figures, as a table in Markdown."""
    seen, metric = facts["validation"], metric_in_words(facts["metric"])
    mean, std = (
        ", ".join(f"{value:.3g}" for value in facts["input"][name]) for name in ("mean", "std")
    )
    table = bool(facts["input"]["columns"])
    values = "" if table else f"| values | as stored: mean {mean}, deviation {std} |\n"
    names = [safe(name) for name in facts["classes"]]
    classes = ", ".join(names[:NAMED]) + f", and {len(names) - NAMED} more" * (len(names) > NAMED)
    settings = "\n".join(
        f"| {heading(name)} | {as_text(name, value)} |"
        for name, value in beside_config(facts["settings"]).items()
    )
    judged = "validation" if facts["metric"] in ("accuracy", "agreement") else "as sure as of"
    anew, reached = facts["confirmed"], interval_in_words(seen["accuracy"], seen["examples"])
    confirmed = ""
    if anew:
        mean = Estimate(anew["mean"], anew["low"], anew["high"]).in_words()
        confirmed = (
            f"| test {metric} | {mean}, 95% interval of the mean of {anew['seeds']} seeds |\n"
        )
    return f"""| | |
|---|---|
{confirmed}| validation {metric}{" in the search" if anew else ""} | {reached}, 95% interval |
| {judged} examples | {seen["examples"]:,} |
{settings}
| epochs | {facts["epochs"]} |
| input | {"x".join(map(str, facts["input"]["shape"]))}; the student normalises |
{values}| classes | {classes} |"""


def origin_in_words(facts: dict[str, Any]) -> str:
    """Who taught the student."""
    taught, scheme = facts["settings"]["alpha"] > 0, facts["scheme"]
    how = "It was trained on the labels alone."
    if taught and scheme != "offline":
        how = f"It was trained by the scheme {scheme}. {facts['teaching']}"
    if facts["teacher"] is None:
        return how
    count, reached = facts["teacher"]["parameters"], facts["teacher"]["accuracy"]
    measured = metric_in_words(of_teachers(facts["metric"]))
    whose = f"whose {measured} is not known"
    if reached is not None:
        whose = f"{measured} {100 * reached:.2f}% on the same validation examples"
    teacher = f"a teacher of {count:,} parameters" if count else "a teacher"
    if taught and scheme == "offline":
        return f"It was trained by distillation from {teacher} ({whose})."
    return f"{how} The study has {teacher} ({whose})."


def flash_in_words(facts: dict[str, Any]) -> str:
    """What the bytes are, and what a student of 32 bits is in integers."""
    if facts["student"]["bits"] != WHOLE:
        text = (
            "Weights are int8, symmetric by output channel, activations int8 by tensor; it was\n"
            "quantised and scored so. Bytes are those of weights, and of a bias and a multiplier\n"
            "a channel, norms folded; a file's header, and in C code and tables, come on top.\n"
        )
        return text + "student.py and model.onnx are the network before it was quantised."
    text = (
        "Bytes are those of weights and of one bias a channel, norms folded; a file's header comes "
        "on\ntop."
    )
    if eight := facts["int8"]:
        reached = interval_in_words(eight["accuracy"], eight["examples"])
        text += (
            f"\n\nIn 8 bits, quantised after its training, it is {eight['counts']['bytes']:,} "
            f"bytes with {eight['counts']['ram']:,} of\nRAM, and reaches {reached} on validation."
        )
    return text


def card(facts: dict[str, Any], evaluations: list[dict[str, Any]]) -> str:
    """The package in words."""
    student = facts["student"]
    bounds = " and ".join(f"{bound:,.0f} {cost}" for cost, bound in facts["budgets"])
    size_of = ", ".join(f"{value:,} {name}" for name, value in facts["counts"].items())
    name = StudentConfig.from_json(json.dumps(student)).name()
    tests = "".join(
        f"\n- {one['when']}: {100 * one['accuracy']:.2f}% {one['measured']} of "
        f"{one['examples']:,} examples"
        for one in evaluations
    )
    looks = f"{len(evaluations)} {'time' if len(evaluations) == 1 else 'times'}"
    found = facts["confirmed"]
    anew = (
        f"A confirm trained it anew with {found['seeds']} seeds of {facts['epochs']} epochs and "
        f"scored each once on {found['examples']:,} test examples; these weights are of seed "
        f"{found['seed']}, whichever seed was best. "
        if found
        else ""
    )
    notes = "".join(f"- The data: {safe(note)}.\n" for note in facts["data"].get("notes", ()))
    columns = columns_of(facts)
    notes += "".join(f"- The column {safe(column_in_words(column))}.\n" for column in columns)
    notes += "\n" * bool(notes)
    shape = ", ".join(map(str, facts["input"]["shape"]))
    encoded = "student.encode(frame)" if columns else "examples"
    stored = "a pandas frame, as it was read" if columns else "values as stored, not 0..1"
    seen_by = metric_in_words(facts["metric"])
    without = f" (not here: {facts['plain']})" if facts["plain"] else ""
    return f"""# {name} for {safe(facts["data"]["name"])}

A student network within {bounds}: {size_of}.
{origin_in_words(facts)}

{card_table(facts)}

The student was chosen on the validation examples, so that {seen_by} leans upward. {anew}By
`nas-kd evaluate` it was scored on the test split {looks}.{tests}

{notes}{flash_in_words(facts)}

Load it, counted and proved again:

    from nas_kd import load_student
    student = load_student(".")   # the path of this folder
    logits = student({encoded})   # {stored}
    names = [student.classes[number] for number in logits.argmax(1)]

student.py beside it is the network in plain PyTorch{without}. If model.onnx or model.int8.onnx is
here, it takes `examples`, float32 [B, {shape}], the same values, and gives `logits`
[B, {len(facts["classes"])}]. If there is a folder c, its README says how it is called.

Made by nas-kd {facts["versions"]["nas-kd"]}, torch {facts["versions"]["torch"]}, trial
{facts["trial"]} of its study.
"""
