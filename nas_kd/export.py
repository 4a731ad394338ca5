"""The student package: config, weights, a proof and a card; and loading it back, proved.

A package proves itself when it is loaded: its parameters are counted again and held against the
budget, and its stored inputs must give the stored logits.

Suffixes: B examples, C channels or classes, H and W pixels.
"""

import json
import platform
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from nas_kd.costs import COSTS
from nas_kd.data import source_of
from nas_kd.data.columns import encode_as, read_columns
from nas_kd.data.source import Examples, Labelled, Request
from nas_kd.data.transfer import TransferSet, prepare
from nas_kd.errors import Unusable, UnusableData, UnusableStudy
from nas_kd.files import write_bytes, write_text
from nas_kd.front import standard_error
from nas_kd.metrics import METRICS, in_words, of_teachers
from nas_kd.package import Student, load_student, read_config
from nas_kd.settings import PLACES, placed
from nas_kd.students.decode import counts
from nas_kd.students.family import StudentConfig
from nas_kd.study.reading import StudyView, TrialRow


def export(view: StudyView, which: str, to: Path) -> Path:
    """Write the package of a trial (`best`, `knee` or a number) to a new folder, and prove it.

    Raises UnusableStudy for a trial that has no student, Unusable for a folder that exists.
    """
    chosen = view.pick(which)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise Unusable(str(to), "exists and is no empty folder", "Name another folder with --to.")
    number = original(view, chosen)
    data = TransferSet.from_json(view.folder.data.read_text())
    kept = view.folder.student(number)
    if not (kept / "config.json").exists():
        right = "Bring the study's folder back as a whole, or search again in a new one."
        raise UnusableStudy(str(kept), "is missing: the student's weights were there", right)
    inputs = load_file(view.folder.proof)["inputs"]
    logits = load_file(kept / "proof.safetensors")["logits"]
    facts = describe(view, chosen, data)
    evaluations = read_list(view.folder.evaluations)
    mine = [one for one in evaluations if one["trial"] == chosen.number]
    write_bytes(to / "weights.safetensors", (kept / "weights.safetensors").read_bytes())
    write_bytes(to / "proof.safetensors", save({"inputs": inputs, "logits": logits}))
    write_text(to / "evaluations.json", json.dumps(mine))
    write_text(to / "card.md", card(facts, mine))
    write_text(to / "config.json", json.dumps(facts, indent=1))
    try:
        load_student(to)
    except Exception:
        shutil.rmtree(to)
        raise
    return to


def original(view: StudyView, row: TrialRow) -> int:
    """The trial that trained this student: its own number, or the one it is the same as, or what
    that one went on as."""
    facts = view.optuna.get_trials(deepcopy=False)[row.number].user_attrs
    same = int(facts.get("duplicate_of", row.number))
    return next((other.number for other in view.rows if other.continues == same), same)


def describe(view: StudyView, row: TrialRow, data: TransferSet) -> dict[str, Any]:
    """Everything that is known of a student."""
    size_of = counts(row.student)
    stored = view.optuna.get_trials(deepcopy=False)[row.number].user_attrs
    return {
        "schema": 1,
        "student": asdict(row.student),
        "input": {"shape": data.input_shape, "mean": data.mean, "std": data.std,
                  "columns": [asdict(column) for column in data.columns]},
        "classes": data.classes,
        "counts": {name: count(size_of, row.student.bits) for name, count in COSTS.items()}
        | {cost: stored[cost] for cost, _ in view.facts["budgets"] if cost not in COSTS},
        "budgets": view.facts["budgets"],
        "metric": view.spec.metric,
        "validation": {"accuracy": row.accuracy, "examples": view.examples},
        "distillation": {
            "alpha": row.alpha, "temperature": row.temperature, "knowledge": row.knowledge,
            "learning_rate": row.learning_rate, "epochs": view.spec.epochs,
        },
        "teacher": {
            name: view.facts["teacher"][name]
            for name in ("target", "sha256", "accuracy", "parameters")
        },
        "data": {"name": view.spec.data, "key": data.key, "split_seed": view.spec.split_seed,
                 "unlabelled": view.spec.unlabelled, "views": view.spec.views,
                 **{name: getattr(view.spec, name) for name in
                    ("image_size", "layout", "label", "group")}},
        "plugins": view.spec.plugins,
        "study": str(view.folder.root),
        "trial": row.number,
        "versions": {name: version(name) for name in ("nas-kd", "torch", "optuna")}
        | {"python": platform.python_version()},
    }  # fmt: skip


def card_table(facts: dict[str, Any]) -> str:
    """The student's figures, as a table in Markdown."""
    kd, seen = facts["distillation"], facts["validation"]
    error, metric = standard_error(seen["accuracy"], seen["examples"]), in_words(facts["metric"])
    mean, std = (
        ", ".join(f"{value:.3g}" for value in facts["input"][name]) for name in ("mean", "std")
    )
    return f"""| | |
|---|---|
| validation {metric} | {100 * seen["accuracy"]:.2f}% +- {100 * error:.2f} (s.e.) |
| {"validation" if metric == "accuracy" else "as sure as of"} examples | {seen["examples"]:,} |
| temperature | {kd["temperature"]:.3f} |
| alpha | {kd["alpha"]:.2f} |
| learning rate | {kd["learning_rate"]:.5f} |
| epochs | {kd["epochs"]} |
| input | {"x".join(map(str, facts["input"]["shape"]))}; the student normalises |
| values | as stored: mean {mean}, deviation {std} |
| classes | {len(facts["classes"])} |"""


def card(facts: dict[str, Any], evaluations: list[dict[str, Any]]) -> str:
    """The package in words."""
    student, kd = facts["student"], facts["distillation"]
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
        if kd["alpha"] > 0
        else f"It was trained on the labels alone, without {teacher}"
    )
    whose = f"{in_words(of_teachers(facts['metric']))} {100 * facts['teacher']['accuracy']:.2f}%"
    return f"""# {name} for {facts["data"]["name"]}

A student network within {bounds}: {size_of}.
{origin} ({whose} on the same validation examples).

{card_table(facts)}

The student was chosen on the validation examples, so that accuracy leans upward. It was scored on
the test split {len(evaluations)} {"time" if len(evaluations) == 1 else "times"}.{tests}

Bytes are those of weights and of one bias a channel, norms folded; a file's header comes on top.

Load it, counted and proved again:

    from nas_kd import load_student
    student = load_student(".")   # the path of this folder
    logits = student(examples)    # values as stored, not scaled to 0..1: see the table

Made by nas-kd {facts["versions"]["nas-kd"]}, torch {facts["versions"]["torch"]}, trial
{facts["trial"]} of its study.
"""


def evaluate(package: Path, data: str | None, data_root: Path, split: str) -> dict[str, Any]:
    """Score a package on a split of its own data, or on other data.

    Other data count whole where they have no test split of their own. A look at the study's own
    test split is counted in the card. Raises UnusablePackage, UnusableData, Unusable.
    """
    facts = read_config(package)
    student = load_student(package)
    data = placed(data) if data else None
    root, name = data_root.expanduser().resolve(), data or facts["data"]["name"]
    mine = own_data(facts, name, root)
    part = rows_of(mine, split) if mine else other_examples(facts, name, root, split)
    logits_NC, labels_N = respond(student, part.examples_NX), torch.tensor(part.labels_N)
    result = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": name,
        "split": split if mine or split == "validation" else "its test split, or all it has",
        **{
            name: float(METRICS[name].score(logits_NC, labels_N))
            for name in dict.fromkeys(("accuracy", of_teachers(facts["metric"])))
        },
        "examples": len(part.labels_N),
        "trial": facts["trial"],
    }
    if split == "test" and mine:
        count_test(package, facts, result)
    return result


@torch.inference_mode()
def respond(student: Student, examples_NX: Examples) -> Tensor:
    """The student's logits [N, C] for images as they are stored."""
    parts = torch.from_numpy(np.array(examples_NX)).split(512)
    return torch.cat([student(part) for part in parts])


def own_data(facts: dict[str, Any], name: str, root: Path) -> TransferSet | None:
    """The study's data, cut as they were; None where others are named.

    Those of a file that was moved are told by their content, for a student has learned most of
    them. Raises Unusable if the data of the study's own name changed.
    """
    wanted = facts["data"]
    kinds = {text.partition(":")[0] for text in (name, wanted["name"])}
    named = name == wanted["name"]
    if not named and (len(kinds) > 1 or not kinds <= PLACES):
        return None
    request = Request(
        root,
        wanted["split_seed"],
        **{name: wanted[name] for name in ("unlabelled", "image_size", "layout", "label", "group")},
    )
    try:
        found = prepare(name, source_of(name), request, wanted["split_seed"], wanted["views"])
    except UnusableData:
        if named:
            raise
        return None
    if named and found.key != wanted["key"]:
        wrong = f"is not what it was (content {found.key[:12]}, then {wanted['key'][:12]})"
        raise Unusable(f"data {name!r}", wrong, "Name other data with --data.")
    return found if found.key == wanted["key"] else None


def rows_of(data: TransferSet, split: str) -> Labelled:
    """The validation or the test split of prepared data."""
    rows = slice(*(data.validation if split == "validation" else data.test))
    return Labelled(data.examples.open()[rows], data.labels.open()[rows])


def other_examples(facts: dict[str, Any], name: str, root: Path, split: str) -> Labelled:
    """Other data, whole or their test split, with the student's classes. Raises Unusable."""
    shape, classes = tuple(facts["input"]["shape"]), list(facts["classes"])
    wanted, columns = facts["data"], read_columns(facts["input"].get("columns", ()))
    request = Request(
        root,
        image_size=shape[-1],
        channels=shape[0],
        layout=wanted["layout"],
        label=wanted["label"],
        columns=tuple(column.name for column in columns),
    )
    raw = source_of(name).load(request)
    if split == "validation":
        if raw.validation is None:
            right = "Leave --split out: other data count whole, or their test split."
            raise Unusable(f"data {name!r}", "has no validation split of its own", right)
        parts = [raw.validation]
    else:
        parts = [raw.test] if raw.test else [part for part in (raw.train, raw.validation) if part]
    images = np.concatenate([part.examples_NX for part in parts])
    if bool(columns) != bool(raw.table):
        wrong, takes = ("is no table", "tables") if columns else ("is a table", f"examples {shape}")
        raise Unusable(f"data {name!r}", wrong, f"The student takes {takes}.")
    if raw.table:
        images = encode_as(raw.table, images, columns, f"data {name!r}")
    labels = np.concatenate([part.labels_N for part in parts])
    if len(labels) == 0:
        raise Unusable(f"data {name!r}", "has no examples with a class", "Name other data.")
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise Unusable(f"data {name!r}", "has values that are NaN or infinite", "Fill them.")
    if images.shape[1:] != shape or not set(raw.classes) <= set(classes):
        wrong = f"has examples {images.shape[1:]} of the classes {', '.join(raw.classes[:12])}"
        right = f"The student takes {shape} and the classes {', '.join(classes[:12])}."
        raise Unusable(f"data {name!r}", wrong, right)
    if not (labels.min() >= 0 and labels.max() < len(raw.classes)):
        wrong = f"has labels {labels.min()} to {labels.max()} for {len(raw.classes)} classes"
        raise Unusable(f"data {name!r}", wrong, f"Number them as {', '.join(classes[:12])}.")
    return Labelled(images, np.array([classes.index(name) for name in raw.classes])[labels])


def count_test(package: Path, facts: dict[str, Any], result: dict[str, Any]) -> None:
    """Note a look at the test split in the package, its card, and the study if it is there."""
    study = Path(facts["study"])
    for path in (package / "evaluations.json", study / "evaluations.json"):
        if path.parent.is_dir():
            write_text(path, json.dumps([*read_list(path), result], indent=1))
    write_text(package / "card.md", card(facts, read_list(package / "evaluations.json")))


def read_list(path: Path) -> list[dict[str, Any]]:
    """The entries in a JSON file; none if there is no file."""
    return json.loads(path.read_text()) if path.exists() else []
