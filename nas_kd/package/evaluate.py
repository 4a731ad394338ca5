"""Scoring a package: on its study's own splits, or on other data.

Suffixes: N examples, C classes, X the shape of one example.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas_kd.data import source_of
from nas_kd.data.columns import encode_as
from nas_kd.data.leaving_out import without
from nas_kd.data.source import ASKED, UNLABELLED, Labelled, Request
from nas_kd.data.transfer import Rows, TransferSet, prepare
from nas_kd.errors import Unusable, UnusableData
from nas_kd.files import hashed, write_text
from nas_kd.metrics import METRICS, metric_in_words, of_teachers
from nas_kd.package.card import card
from nas_kd.package.config import columns_of, read_config
from nas_kd.package.load import load_student
from nas_kd.package.teacher import teacher_of
from nas_kd.spec.fields import PLACES, paired, placed
from nas_kd.spec.trust import expect_trusted
from nas_kd.study.looks import EVALUATIONS, read_looks


def evaluate(
    package: Path, data: str | None, data_root: Path, split: str, trust: bool = False
) -> dict[str, Any]:
    """Score a package on a split of its own data, or on other data.

    Other data count whole where they have no test split of their own. A look at the study's own
    test split is counted in the card and in the study in whose folder the package lies; with
    `trust` also in the one that the package names. The result has a note where no study is told.
    The study's teacher is scored on the same examples, or it is said why it is not.
    Raises UnusablePackage, UnusableData, Unusable.
    """
    facts = read_config(package)
    data = placed(data) if data else None
    root, name = data_root.expanduser().resolve(), data or facts["data"]["name"]
    code = {"data": name, "unlabelled": facts["data"]["unlabelled"]}
    expect_trusted(f"package {package}", code, trust, {"data": data or ()})
    student = load_student(package, trust)
    mine = own_data(facts, name, root)
    said: list[str] = []
    part = rows_of(mine, split) if mine else other_examples(facts, name, root, split, said.append)
    row_N = np.arange(*rows_in(mine, split)) if mine else None
    labels_N = torch.tensor(part.labels_N)
    names = tuple(dict.fromkeys(("accuracy", of_teachers(facts["metric"]))))
    studies = studies_of(package, facts["study"] if trust else None)
    ask = teacher_of(facts, studies, trust)
    found = ask if isinstance(ask, str) else ask(part.examples_NX, row_N)
    measured = "accuracy"
    if bool((labels_N == UNLABELLED).all()):
        labels_N, measured = truth_of(found, name), metric_in_words("agreement")
    asked = {"not_scored": found} if isinstance(found, str) else scores(names, found, labels_N)
    result = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": name,
        "measured": measured,
        "split": split if mine or split == "validation" else "its test split, or all it has",
        **scores(names, student.answer(part.examples_NX), labels_N),
        "teacher": asked,
        "examples": len(part.labels_N),
        "trial": facts["trial"],
        "weights": hashed(package / "weights.safetensors"),
        **({"said": said} if said else {}),
    }
    if split != "test" or mine is None:
        return result
    count_test((package, *studies), card(facts, [*read_looks(package), result]), result)
    why = "it is not there" if trust else "with --trust it is counted there too"
    note = f"this look is counted in the package's card, not in its study {facts['study']}: {why}"
    return result if studies else result | {"note": note}


def truth_of(found: Tensor | str, name: str) -> Tensor:
    """The classes [N] that the teacher gives, where there are no labels. Raises Unusable where it
    cannot be asked."""
    if isinstance(found, str):
        wrong = f"has no labels, and the teacher is not asked: {found}"
        right = "Name data with labels (--data), or evaluate the package in its study's folder."
        raise Unusable(f"data {name!r}", wrong, right)
    return found.argmax(-1)


def scores(names: Iterable[str], logits_NC: Tensor, labels_N: Tensor) -> dict[str, float]:
    """What a network reaches by each of these metrics."""
    return {name: float(METRICS[name].score(logits_NC, labels_N)) for name in names}


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
    request = Request(root, wanted["split_seed"], **{name: paired(wanted[name]) for name in ASKED})
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


def rows_in(data: TransferSet, split: str) -> Rows:
    """Which rows are the validation or the test split."""
    return data.validation if split == "validation" else data.test


def rows_of(data: TransferSet, split: str) -> Labelled:
    """The validation or the test split of prepared data."""
    rows = slice(*rows_in(data, split))
    return Labelled(data.examples.open()[rows], data.labels.open()[rows])


def other_examples(
    facts: dict[str, Any], name: str, root: Path, split: str, tell: Callable[[str], None]
) -> Labelled:
    """Other data, whole or their test split, with the student's classes; how they are understood is
    told. Raises Unusable."""
    shape, classes = tuple(facts["input"]["shape"]), list(facts["classes"])
    wanted, columns = facts["data"], columns_of(facts)
    request = Request(
        root,
        image_size=shape[-1],
        channels=shape[0],
        layout=wanted["layout"],
        label=wanted["label"],
        columns=columns,
        tell=tell,
    )
    raw = source_of(name).load(request)
    raw = without(raw, [one for one in wanted["drop_classes"] if one in raw.classes], request.tell)
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


def count_test(folders: Sequence[Path], text: str, result: dict[str, Any]) -> None:
    """Note a look at the test split in a package, the first folder, and in its study; the card's
    text is written last."""
    kept = [(folder, [*read_looks(folder), result]) for folder in folders]
    for folder, looks in kept:
        write_text(folder / EVALUATIONS, json.dumps(looks, indent=1))
    write_text(folders[0] / "card.md", text)


def studies_of(package: Path, named: str | None) -> tuple[Path, ...]:
    """The folder of the study that has a package's student: the one in which the package lies, or
    the one that it names if that is trusted. None elsewhere is written to."""
    mine = (package / "weights.safetensors").read_bytes()
    for folder in (package.resolve().parent, *([Path(named)] if named else [])):
        places = ("students/*", "confirm/epochs-*/*/*")
        kept = [path for place in places for path in folder.glob(f"{place}/weights.safetensors")]
        if any(path.read_bytes() == mine for path in kept):
            return (folder,)
    return ()
