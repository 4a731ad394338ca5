"""Writing the student package: config, weights, plain PyTorch, a proof and a card; and, where they
are asked for, ONNX and C.

A package proves itself when it is loaded: its costs are counted again and held against the budget,
its stored inputs must give the stored logits, and its files must be those that were exported.
"""

import glob
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from operator import eq
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from nas_kd.confirm.confirmation import confirmed_as
from nas_kd.costs.budgets import COSTS, QUANTISED, WHOLE
from nas_kd.costs.counting import counted
from nas_kd.data.source import ASKED
from nas_kd.data.transfer import TransferSet
from nas_kd.driver.data_stage import same_data
from nas_kd.driver.options import RunOptions
from nas_kd.errors import NasKDError, Unusable, UnusableStudy
from nas_kd.files import TEMPORARY, expect_utf8, hashed, write_bytes, write_text
from nas_kd.intervals import interval_in_words
from nas_kd.metrics import METRICS
from nas_kd.package.c.write import FOLDER as C_FOLDER
from nas_kd.package.c.write import to_c
from nas_kd.package.card import card
from nas_kd.package.config import SCHEMA
from nas_kd.package.load import Student, classes_of, load_student, network_of, recounted
from nas_kd.package.onnx import FILE as FLOATS
from nas_kd.package.onnx import INT8 as INTEGERS
from nas_kd.package.onnx import OPTION, needed, to_int8, to_onnx
from nas_kd.package.plain import FILE as PLAIN
from nas_kd.package.plain import answers_of, plain
from nas_kd.package.seal import read_proof, seal
from nas_kd.students.family import StudentConfig
from nas_kd.study.looks import EVALUATIONS, read_looks
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView
from nas_kd.training.quantising import answered, observed, program_of


@dataclass(frozen=True, slots=True)
class Also:
    """What a package has beside its student in PyTorch."""

    onnx: bool = False
    int8: bool = False
    """model.int8.onnx."""
    c: bool = False

    @property
    def integers(self) -> bool:
        """Whether integers are needed, also of a student of 32 bits."""
        return self.int8 or self.c


ALONE = Also()

ARITHMETICS = ("float32", "int8")
"""Under these names a package has the logits to its inputs."""


def export(view: StudyView, which: str, to: Path, trust: bool = False, also: Also = ALONE) -> Path:
    """Write the package of a trial (`best`, `knee` or a number) to a new folder, and prove it.

    Raises UnusableStudy for a trial that has no student, Unusable for a folder that exists, for
    code that only the study names, unless there is `trust`, and for a student that cannot have
    what is asked for beside it.
    """
    expect_utf8(to)
    if also.onnx or also.int8:
        needed("onnx")
        needed("onnxruntime")
    chosen = view.pick(which)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise Unusable(
            str(to), "exists and is no empty folder", "Remove it, or name another with --to."
        )
    data = view.folder.read_data()
    kept, proof, anew = source(view, chosen)
    right = "Bring the study's folder back as a whole, or search again in a new one."
    files = [kept / name for name in ("config.json", "weights.safetensors", "proof.safetensors")]
    for path in (*files, proof):
        if not path.exists():
            raise UnusableStudy(str(path), "is missing: the student was there", right)
    try:
        inputs = load_file(proof)["inputs"]
        stored = load_file(kept / "proof.safetensors")
        expect_keys(stored, chosen.config)
    except (SafetensorError, KeyError) as error:
        raise UnusableStudy(str(kept), f"holds no proof of its student ({error})", right) from error
    facts = describe(view, chosen, data) | anew
    config, network = network_of(f"package {to}", facts, trust, kept / "weights.safetensors")
    try:
        network.load_state_dict(load_file(kept / "weights.safetensors"))
    except (RuntimeError, SafetensorError) as error:
        raise UnusableStudy(str(kept), f"has other weights ({error})", right) from error
    tensors, facts["int8"] = arithmetic(view, config, network, data, inputs, stored, also)
    text, facts["plain"] = as_plain(network, config, facts, inputs, tensors["float32"])
    evaluations = read_looks(view.folder.root)
    whose = hashed(kept / "weights.safetensors")
    mine = [one for one in evaluations if one.get("weights") == whose]
    with whole(to) as place:
        write_bytes(place / "weights.safetensors", (kept / "weights.safetensors").read_bytes())
        write_bytes(place / "proof.safetensors", save({"inputs": inputs, **tensors}))
        write_text(place / EVALUATIONS, json.dumps(mine))
        if text:
            write_text(place / PLAIN, text)
        write_text(place / "card.md", card(facts, mine))
        write_text(place / "config.json", json.dumps(facts, indent=1))
        answers = {name: tensors[name] for name in ARITHMETICS if name in tensors}
        seal(place, classes_of(answers), recounted(network, config))
        load_student(place, trust)
        for asked, write in ((also.onnx, to_onnx), (also.int8, to_int8), (also.c, to_c)):
            if asked:
                write(place, trust)
    return to


@contextmanager
def whole(to: Path) -> Iterator[Path]:
    """A folder beside another, whose name it gets if the block ends well; else it is gone. What a
    process that was killed has left there is gone, too."""
    home = to.absolute()
    for old in home.parent.glob(f".{glob.escape(home.name)}.*"):
        if TEMPORARY.fullmatch(old.name):
            shutil.rmtree(old, ignore_errors=True)
    place = home.with_name(f".{home.name}.{os.getpid()}-0")
    try:
        yield place
        if home.exists():  # an empty folder, in which somebody may stand
            for path in sorted(place.iterdir()):
                os.rename(path, home / path.name)
            place.rmdir()
        else:
            os.rename(place, home)
    except BaseException as error:
        shutil.rmtree(place, ignore_errors=True)
        if isinstance(error, Unusable):
            error.given = error.given.replace(str(place), str(to))
        raise


def expect_keys(stored: Mapping[str, Tensor], config: StudentConfig) -> None:
    """Raise KeyError for what a student's stored proof lacks."""
    for name in ("logits",) if config.bits == WHOLE else ("logits", "ranges"):
        stored[name]


@torch.no_grad()
def arithmetic(
    view: StudyView,
    config: StudentConfig,
    network: nn.Module,
    data: TransferSet,
    inputs_NX: Tensor,
    stored: Mapping[str, Tensor],
    also: Also,
) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """The stored inputs' logits [N, C] in floats, and in integers with their ranges where there are
    any; and what a student of 32 bits reaches in integers, on validation.

    Raises Unusable for a student that cannot be quantised, or whose ranges need the study's
    training examples where those are gone.
    """
    if config.bits == WHOLE and not also.integers:
        return {"float32": stored["logits"]}, None
    if config.bits != WHOLE:
        normalised = Student(network, data.mean, data.std, data.input_shape)
        float32 = normalised(inputs_NX)
        return {"float32": float32, "int8": stored["logits"], "ranges": stored["ranges"]}, None
    data = with_examples(view, data)
    ranges = observed(network, data, view.spec.seed)
    program = program_of(network, data, ranges)
    found = {"float32": stored["logits"], "int8": program(inputs_NX), "ranges": ranges}
    logits_NC = answered(program, data, data.validation)
    truth_N = torch.from_numpy(np.load(view.folder.truth))
    size = counted(network, config.input_shape)
    return found, {
        "accuracy": float(METRICS[view.spec.metric].score(logits_NC, truth_N)),
        "examples": view.examples,
        "counts": {name: count(size, QUANTISED) for name, count in COSTS.items()},
    }


def with_examples(view: StudyView, data: TransferSet) -> TransferSet:
    """The study's data, prepared again if the cache has lost them. Raises Unusable where they
    changed, or cannot be read."""
    if all(Path(path).exists() for path in data.files):
        return data
    options = RunOptions(view.folder.root, 0, Path(view.facts["data_root"]))
    try:
        return same_data(view.spec, options, view.folder, lambda text: None)
    except NasKDError as error:
        wrong = f"needs the study's training examples for its ranges, and they are gone ({error})"
        right = "Bring them back where they were, and export again."
        raise Unusable("a student in 8 bits", wrong, right) from error


@torch.no_grad()
def as_plain(
    network: nn.Module,
    config: StudentConfig,
    facts: Mapping[str, Any],
    inputs_NX: Tensor,
    logits_NC: Tensor,
) -> tuple[str, str]:
    """The text of student.py, which gives these logits [N, C] to the inputs, or why there is
    none."""
    try:
        text = plain(network, config)
    except Unusable as error:
        return "", f"{error.given} {error.wrong}"
    try:
        found_NC = answers_of(text, network.state_dict(), facts["input"], inputs_NX)
        if torch.allclose(found_NC, logits_NC, rtol=1e-4, atol=1e-4):
            return text, ""
        wrong = "it would give other logits"
    except Exception as error:
        wrong = f"{type(error).__name__}: {error}"
    return "", f"the student cannot be written as plain PyTorch: {wrong}"


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


def written_in_words(package: Path) -> Iterator[str]:
    """What `export` wrote beside the student, a line each."""
    facts = json.loads((package / "config.json").read_text())
    if "onnx" in facts:
        yield f"{package / FLOATS}  (proved against PyTorch)"
    if eight := facts.get("onnx_int8"):
        plainly = eight["without_option"]
        option = f'set its session option {OPTION} to "1"'
        only = f"; {100 * plainly:.0f}% as ONNX Runtime is: {option}" if plainly < 1 else ""
        same = f"the integers' class on {100 * eight['same_class']:.0f}% of the stored inputs{only}"
        yield f"{package / INTEGERS}  ({same})"
    if "c" in facts:
        tested = (
            "compiled; its test passes" if facts["c"]["tested"] else "not compiled: no compiler"
        )
        yield f"{package / C_FOLDER}  ({tested}; {facts['c']['arena']:,} bytes of RAM)"
    answers = read_proof(package).answers
    if whole := answers.get("int8"):
        same = sum(map(eq, whole, answers["float32"])) / len(whole)
        yield f"integers give the class of the floats on {100 * same:.0f}% of the stored inputs"
    if eight := facts["int8"]:
        count, reached = (
            eight["counts"]["bytes"],
            interval_in_words(eight["accuracy"], eight["examples"]),
        )
        yield f"in 8 bits: {count:,} bytes, {reached}% on validation"
    if facts["plain"]:
        yield f"no student.py: {facts['plain']}"
