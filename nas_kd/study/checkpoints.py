"""Rung results on disk: written before any tell, checked when read, removed at the tell."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from nas_kd.files import replace, write_bytes, write_text
from nas_kd.students.family import StudentConfig
from nas_kd.study.folder import StudyFolder
from nas_kd.training import RungResult

SPOILED = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What reading a record ends with that is not as it was written."""


def keep_result(folder: StudyFolder, result: RungResult) -> None:
    """Write a result: the checkpoint, then its metrics, which make it count."""
    path = folder.checkpoint(result.trial, result.epochs)
    write_bytes(path, result.checkpoint)
    metrics = asdict(result)
    del metrics["checkpoint"]
    sealed = metrics | {"sha256": seal(metrics, result.checkpoint)}
    write_text(path.with_suffix(".json"), json.dumps(sealed))


def seal(metrics: Mapping[str, Any], checkpoint: bytes) -> str:
    """The hash of a result's metrics and its checkpoint."""
    return hashlib.sha256(json.dumps(metrics).encode() + checkpoint).hexdigest()


def find_result(
    folder: StudyFolder, trial: int, epoch: int, spoiled: Callable[[], None]
) -> RungResult | None:
    """The kept result of a trial at a rung; None if there is none, or not a sound one, of which
    `spoiled` is told."""
    path = folder.checkpoint(trial, epoch)
    try:
        metrics = json.loads(path.with_suffix(".json").read_text())
        checkpoint = path.read_bytes()
        known = metrics.pop("sha256")
        if known == seal(metrics, checkpoint) and (metrics["trial"], metrics["epochs"]) == (
            trial, epoch,
        ):  # fmt: skip
            return RungResult(**metrics, checkpoint=checkpoint)
    except FileNotFoundError:
        return None
    except SPOILED:
        pass
    spoiled()
    return None


def forget(folder: StudyFolder, trial: int) -> None:
    """Remove a trial's checkpoints."""
    shutil.rmtree(folder.checkpoint(trial, 0).parent, ignore_errors=True)


def keep_student(place: Path, config: StudentConfig, result: RungResult) -> None:
    """Write a completed student into a folder: weights, its answers to the validation examples, the
    logits that prove it, and its config last."""
    tensors = load(result.checkpoint)
    weights = {
        name.removeprefix("model."): np.ascontiguousarray(value)
        for name, value in tensors.items()
        if name.startswith("model.")
    }
    write_bytes(place / "weights.safetensors", save(weights))
    proof = {"logits": tensors["proof"]}
    if "ranges" in tensors:
        proof["ranges"] = tensors["ranges"]
    write_bytes(place / "proof.safetensors", save(proof))
    replace(place / "answers.npy", lambda file: np.save(file, result.answers))
    write_text(place / "config.json", config.to_json())
