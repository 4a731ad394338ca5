"""Writing the student package: config, weights, a proof and a card.

A package proves itself when it is loaded: its parameters are counted again and held against the
budget, and its stored inputs must give the stored logits.
"""

import json
import platform
import shutil
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from nas_kd.confirm.confirmation import confirmed_as
from nas_kd.data.source import ASKED
from nas_kd.data.transfer import TransferSet
from nas_kd.errors import Unusable, UnusableStudy
from nas_kd.files import expect_utf8, hashed, write_bytes, write_text
from nas_kd.package.card import card
from nas_kd.package.config import SCHEMA
from nas_kd.package.load import load_student
from nas_kd.study.looks import EVALUATIONS, read_looks
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView


def export(view: StudyView, which: str, to: Path, trust: bool = False) -> Path:
    """Write the package of a trial (`best`, `knee` or a number) to a new folder, and prove it.

    Raises UnusableStudy for a trial that has no student, Unusable for a folder that exists, or for
    code that only the study names, unless there is `trust`.
    """
    expect_utf8(to)
    chosen = view.pick(which)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise Unusable(
            str(to), "exists and is no empty folder", "Remove it, or name another with --to."
        )
    data = view.folder.read_data()
    kept, proof, anew = source(view, chosen)
    right = "Bring the study's folder back as a whole, or search again in a new one."
    needed = [kept / name for name in ("config.json", "weights.safetensors", "proof.safetensors")]
    for path in (*needed, proof):
        if not path.exists():
            raise UnusableStudy(str(path), "is missing: the student was there", right)
    try:
        inputs = load_file(proof)["inputs"]
        logits = load_file(kept / "proof.safetensors")["logits"]
    except (SafetensorError, KeyError) as error:
        raise UnusableStudy(str(kept), f"holds no proof of its student ({error})", right) from error
    facts = describe(view, chosen, data) | anew
    evaluations = read_looks(view.folder.root)
    whose = hashed(kept / "weights.safetensors")
    mine = [one for one in evaluations if one.get("weights") == whose]
    write_bytes(to / "weights.safetensors", (kept / "weights.safetensors").read_bytes())
    write_bytes(to / "proof.safetensors", save({"inputs": inputs, "logits": logits}))
    write_text(to / EVALUATIONS, json.dumps(mine))
    write_text(to / "card.md", card(facts, mine))
    write_text(to / "config.json", json.dumps(facts, indent=1))
    try:
        load_student(to, trust)
    except Exception:
        shutil.rmtree(to)
        raise
    return to


def source(view: StudyView, row: StudentRecord) -> tuple[Path, Path, dict[str, Any]]:
    """The folder of a trial's student, the file of its proof's inputs, and what its config says of
    a confirm: of the first seed that did not fail, if it was confirmed; else as it was searched."""
    anew = confirmed_as(view, row)
    reached = anew[1].reached if anew else None
    if anew is None or reached is None:
        number = row.number if row.duplicate_of is None else row.duplicate_of
        return view.folder.student(number), view.folder.proof, {"confirmed": None}
    found, one = anew
    seed = next(seed for seed, reached in enumerate(one.seeds) if reached is not None)
    place = view.folder.confirmed / f"epochs-{found.epochs}" / one.key / f"seed-{seed}"
    tested = {
        "examples": found.examples,
        "seeds": sum(seed is not None for seed in one.seeds),
        "seed": seed,
    }
    facts = {"confirmed": asdict(reached) | tested, "epochs": found.epochs}
    return place, view.folder.confirmed / "inputs.safetensors", facts


TAUGHT = ("target", "sha256", "accuracy", "parameters")


def describe(view: StudyView, row: StudentRecord, data: TransferSet) -> dict[str, Any]:
    """Everything that is known of a student."""
    teacher = view.teacher_of(row.settings)
    return {
        "schema": SCHEMA,
        "student": asdict(row.config),
        "input": {"shape": data.input_shape, "mean": data.mean, "std": data.std,
                  "columns": [asdict(column) for column in data.columns]},
        "classes": data.classes,
        "counts": dict(row.costs),
        "budgets": view.facts["budgets"],
        "metric": view.spec.metric,
        "validation": {"accuracy": row.accuracy, "examples": view.examples},
        "settings": dict(row.settings),
        "epochs": view.epochs,
        "scheme": view.spec.scheme,
        "teaching": view.facts.get("teaching", ""),
        "teacher": teacher and {name: teacher[name] for name in TAUGHT},
        "data": {"name": view.spec.data, "key": data.key, "notes": data.notes,
                 **{name: getattr(view.spec, name) for name in
                    ("split_seed", "views", *ASKED)}},
        "plugins": view.spec.plugins,
        "study": str(view.folder.root),
        "trial": row.number,
        "versions": {name: version(name) for name in ("nas-kd", "torch", "optuna")}
        | {"python": platform.python_version()},
    }  # fmt: skip
