"""Checkpoints as people have them: nested, prefixed, in half precision, safetensors or torch's.

A state dict is found in the dicts of a file, also inside one another. What stands before all of its
names is taken off, or put there, where that makes them the network's; what was undone, and what is
not used, is said.
Pickled objects are refused: they can run any code.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nas_kd.errors import UnusableTeacher

NESTS = ("state_dict", "model_state_dict", "model")
"""Keys under which trainers put the state dict; of several that fit, the first of these counts."""

DEEPEST = 5
"""So many dicts may lie in one another."""

COUNTERS = ("total_ops", "total_params")
"""Last parts of names that profilers add."""

STEPS = "num_batches_tracked"
"""Last part of the name of a batch norm's number of steps: old files lack it, nobody needs it."""

State = Mapping[str, Tensor]
SAVE = "Save them with torch.save(network.state_dict(), FILE) or safetensors.torch.save_file."
SAVE_AGAIN = """It can run any code when it is loaded. If you trust it, save its tensors once:
  import torch
  found = torch.load({path!r}, weights_only=False)
  state = found["model"] if isinstance(found, dict) else found.state_dict()  # or its other name
  torch.save(state, "teacher-weights.pt")"""

KINDS = (np.float16, np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_, np.str_)
_SCALAR, _ARRAY = np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]
PLAIN: list[Any] = [
    argparse.Namespace, np.dtype, np.ndarray, _SCALAR, _ARRAY,
    *(type(np.dtype(kind)) for kind in KINDS),
    (_SCALAR, "numpy.core.multiarray.scalar"), (_ARRAY, "numpy.core.multiarray._reconstruct"),
    *((kind, f"{module}.{name}Path")
      for name, kind in (("Posix", PurePosixPath), ("Windows", PureWindowsPath))
      for module in ("pathlib", "pathlib._local")),
]  # fmt: skip
"""What trainers put beside the weights, and runs no code: their arguments, numbers and arrays, of
either version of numpy, and paths."""


def read(path: Path) -> Mapping[str, Any]:
    """What is in a weight file, tensors and plain values only. Raises UnusableTeacher."""
    given = f"teacher weights {path}"
    if not path.is_file():
        raise UnusableTeacher(given, "are no file" if path.exists() else "do not exist", SAVE)
    try:
        if path.suffix != ".safetensors" and not saved_by_torch(path):
            raise UnusableTeacher(given, "are no file that torch saved", SAVE)
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals(PLAIN):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except UnusableTeacher:
        raise
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
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02")


def first_line(error: Exception) -> str:
    """The beginning of an error's message."""
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def states(found: Mapping[Any, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[str, State]]:
    """Each dict that has tensors by name, however deep, with where it lies: 'model.state_dict'."""
    tensors = {k: v for k, v in found.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if tensors:
        yield ".".join(at), tensors
    if len(at) < DEEPEST:
        for key, inner in sorted(found.items(), key=lambda one: usual(one[0])):
            if isinstance(key, str) and isinstance(inner, Mapping):
                yield from states(inner, (*at, key))


def usual(key: Any) -> int:
    """The place of a key among those under which state dicts lie, or after them."""
    return NESTS.index(key) if key in NESTS else len(NESTS)


@dataclass(frozen=True, slots=True)
class Fitting:
    """A state dict by the network's names, and what was undone to make them so."""

    state: State
    undone: tuple[str, ...]


def fitted(state: State, wanted: State) -> Fitting | None:
    """The state dict with the network's names; None where no one prefix makes them so."""
    needed = [name for name in wanted if name.rpartition(".")[2] != STEPS] or list(wanted)
    for name in sorted((k for k in state if k.endswith(needed[0])), key=len):
        prefix = name.removesuffix(needed[0])
        if not prefix or prefix.endswith("."):
            mine = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            if found := exactly(mine, wanted, needed):
                beside = len(state) - len(mine)
                off = (f"prefix {prefix!r} taken off",) if prefix else ()
                left = (f"{beside} tensors without it not used",) if beside else ()
                return Fitting(found.state, (*off, *left, *found.undone))
    common = needed[0].partition(".")[0] + "."
    if all(name.startswith(common) for name in wanted):
        inner = {name.removeprefix(common): value for name, value in wanted.items()}
        if found := fitted(state, inner):
            named = {common + name: value for name, value in found.state.items()}
            return Fitting(named, (f"prefix {common!r} put before", *found.undone))
    return None


def exactly(state: State, wanted: State, needed: Sequence[str]) -> Fitting | None:
    """The state dict without what profilers add, if the rest is all that is needed."""
    extra = {name for name in state if name not in wanted}
    if not {*needed} <= state.keys() or any(n.rpartition(".")[2] not in COUNTERS for n in extra):
        return None
    undone: tuple[str, ...] = (f"{len(extra)} counters of a profiler not used",) if extra else ()
    if lacking := len(wanted) - len(state) + len(extra):
        undone += (f"{lacking} batch norms without {STEPS}",)
    return Fitting({name: state[name] for name in wanted if name in state}, undone)


def fit(path: Path, network: nn.Module, target: str) -> tuple[str, ...]:
    """Load a weight file into a network; gives what had to be undone. Raises UnusableTeacher."""
    wanted = {k: v for k, v in network.state_dict().items() if isinstance(v, Tensor)}
    given = f"teacher weights {path}"
    if not wanted:
        return ("it has no weights of its own",)
    found = [(place, state, fitted(state, wanted)) for place, state in states(read(path))]
    if not found:
        raise UnusableTeacher(given, "hold no state dict", SAVE)
    fits = [(place, fitting) for place, _, fitting in found if fitting]
    if not fits:
        nearest = max((state for _, state, _ in found), key=lambda one: len(set(one) & set(wanted)))
        missing = [name for name in wanted if name not in nearest][:3]
        extra = [name for name in nearest if name not in wanted][:3]
        parts = [f"lack {', '.join(missing)}"] if missing else []
        parts += [f"have {', '.join(extra)} too many"] if extra else []
        has = ", ".join(list(wanted)[:2])
        right = f"Name the file of this architecture; {target} has {has}, ..."
        raise UnusableTeacher(given, f"do not fit {target!r}: they {' and '.join(parts)}", right)
    shaped = [one for one in fits if alike(one[1].state, wanted)]
    place, fitting = (shaped or fits)[0]
    check_shapes(given, target, fitting.state, wanted)
    network.load_state_dict(fitting.state, strict=False)
    undone = (f"taken from {place!r}", *fitting.undone) if place else fitting.undone
    others = ", ".join(repr(other) for other, _ in fits if other != place)
    return (*undone, f"{others} would fit too, and is not used") if others else undone


def alike(state: State, wanted: State) -> bool:
    """Whether all tensors have the network's shapes."""
    return all(is_lazy(wanted[n]) or state[n].shape == wanted[n].shape for n in state)


def check_shapes(given: str, target: str, state: State, wanted: State) -> None:
    """Raise UnusableTeacher naming the first tensors of another shape, or of another kind."""
    for name, value in state.items():
        if value.layout != torch.strided or value.is_quantized or value.is_meta or (
            wanted[name].is_floating_point() != value.is_floating_point()
        ):  # fmt: skip
            kind = f"{name} is {value.dtype}, {value.layout}, instead of {wanted[name].dtype}"
            right = "Name the file of the network as it was trained, in floating point."
            raise UnusableTeacher(given, f"do not fit {target!r}: {kind}", right)
    wrong = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in state
        if not is_lazy(wanted[name]) and state[name].shape != wanted[name].shape
    ]
    if wrong:
        right = "Name the file of this architecture and this number of classes."
        raise UnusableTeacher(given, f"do not fit {target!r}: {'; '.join(wrong[:3])}", right)
