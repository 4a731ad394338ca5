"""Checkpoints as people have them: nested, prefixed, in half precision, safetensors or torch's.

A state dict is found inside common wrappers, and prefixes are taken off where that makes the keys
fit; what was undone is said. Pickled objects are refused: they can run any code.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from nas_kd.errors import UnusableTeacher

NESTS = ("state_dict", "model_state_dict", "model")
"""Keys under which trainers put the state dict."""

PREFIXES = ("module.", "model.", "_orig_mod.")
"""What DataParallel and DDP, Lightning and torch.compile put before each key."""

State = Mapping[str, Tensor]
SAVE = "Save them with torch.save(network.state_dict(), FILE) or safetensors.torch.save_file."
SAVE_AGAIN = """It can run any code when it is loaded. If you trust it, save its tensors once:
  import torch
  found = torch.load({path!r}, weights_only=False)
  state = found["model"] if isinstance(found, dict) else found.state_dict()  # or its other name
  torch.save(state, "teacher-weights.pt")"""

PLAIN: list[Any] = [
    argparse.Namespace,
    np.dtype,
    np.float64(0).__reduce__()[0],
    *(type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64)),
]
"""What trainers put beside the weights, and runs no code: their arguments, and numbers."""


def read(path: Path) -> Mapping[str, Any]:
    """What is in a weight file, tensors and plain values only. Raises UnusableTeacher."""
    given = f"teacher weights {path}"
    if not path.exists():
        raise UnusableTeacher(given, "do not exist", SAVE)
    if path.suffix != ".safetensors" and not saved_by_torch(path):
        raise UnusableTeacher(given, "are no file that torch saved", SAVE)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals(PLAIN):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, EOFError) as error:
        raise UnusableTeacher(given, f"cannot be read ({first_line(error)})", SAVE) from error
    except Exception as error:  # pickle's refusals share no base
        refused = "WeightsUnpickler" in str(error) or "Weights only" in str(error)
        wrong = "hold more than tensors" if refused else f"cannot be read ({first_line(error)})"
        right = SAVE_AGAIN.format(path=str(path)) if refused else SAVE
        raise UnusableTeacher(given, wrong, right) from error
    if not isinstance(found, Mapping):
        raise UnusableTeacher(given, f"are a {type(found).__name__}, no state dict", SAVE)
    return found


def saved_by_torch(path: Path) -> bool:
    """Whether a file begins as torch's do: a zip archive, or a pickle in the old format."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02")


def first_line(error: Exception) -> str:
    """The beginning of an error's message."""
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def is_state(found: Any) -> bool:
    """Whether this is a state dict: names and tensors."""
    return (
        isinstance(found, Mapping)
        and bool(found)
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items())
    )


def states(found: Mapping[str, Any]) -> Iterator[tuple[State, tuple[str, ...]]]:
    """Each state dict in a checkpoint, with what was undone to get at it."""
    if is_state(found):
        yield found, ()
    for nest in NESTS:
        inner = found.get(nest)
        if isinstance(inner, Mapping):
            for state, undone in states(inner):
                yield state, (f"taken from {nest!r}", *undone)


def without_prefixes(
    state: State, undone: tuple[str, ...]
) -> Iterator[tuple[State, tuple[str, ...]]]:
    """The state dict, and itself with one prefix after the other taken off."""
    yield state, undone
    for prefix in PREFIXES:
        inner = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        if inner:
            yield from without_prefixes(inner, (*undone, f"prefix {prefix!r} taken off"))


def fit(path: Path, network: nn.Module, target: str) -> tuple[str, ...]:
    """Load a weight file into a network; gives what had to be undone. Raises UnusableTeacher."""
    wanted = network.state_dict()
    given = f"teacher weights {path}"
    candidates = [
        candidate for state in states(read(path)) for candidate in without_prefixes(*state)
    ]
    if not candidates:
        raise UnusableTeacher(given, "hold no state dict", SAVE)
    for state, undone in candidates:
        if set(state) == set(wanted):
            check_shapes(given, target, state, wanted)
            network.load_state_dict(state)
            return undone
    nearest, _ = max(candidates, key=lambda pair: len(set(pair[0]) & set(wanted)))
    missing = [name for name in wanted if name not in nearest][:3]
    extra = [name for name in nearest if name not in wanted][:3]
    parts = [f"lack {', '.join(missing)}"] if missing else []
    parts += [f"have {', '.join(extra)} too many"] if extra else []
    right = f"Name the file of this architecture; {target} has {', '.join(list(wanted)[:2])}, ..."
    raise UnusableTeacher(given, f"do not fit {target!r}: they {' and '.join(parts)}", right)


def check_shapes(given: str, target: str, state: State, wanted: State) -> None:
    """Raise UnusableTeacher naming the first tensors of another shape."""
    wrong = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted
        if state[name].shape != wanted[name].shape
    ]
    if wrong:
        right = "Name the file of this architecture and this number of classes."
        raise UnusableTeacher(given, f"do not fit {target!r}: {'; '.join(wrong[:3])}", right)
