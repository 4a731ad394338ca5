"""Which devices train the students: processors, or GPUs with one worker process each."""

import os
import re
from pathlib import Path

from nas_kd.errors import Unusable

READABLE = "Say auto, cpu, cuda, or GPUs by number: cuda:0,cuda:1."


def parse_devices(text: str) -> tuple[str, ...]:
    """The devices in words: `cpu`, or GPUs. `auto` is every GPU that torch can use, else `cpu`.

    Raises Unusable for what cannot be read, and for a GPU that is not there.
    """
    names = tuple(part.strip() for part in text.split(","))
    given = f"device {text!r}"
    if not all(re.fullmatch(r"auto|cpu|cuda|cuda:\d+", name) for name in names):
        raise Unusable(given, "is no device", READABLE)
    if len({name.partition(":")[0] for name in names}) > 1 or len(set(names)) < len(names):
        raise Unusable(given, "mixes kinds of devices, or names one twice", READABLE)
    if names == ("cpu",) or (names == ("auto",) and not any(Path("/dev").glob("nvidia[0-9]*"))):
        return ("cpu",)
    import torch

    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if names == ("auto",) and not there:
        return ("cpu",)
    wanted = [f"cuda:{n}" for n in range(max(1, there))] if names[0] in ("auto", "cuda") else names
    missing = [name for name in wanted if int(name.partition(":")[2]) >= there]
    if missing:
        raise Unusable(given, f"is not there: torch sees {there} GPUs", READABLE)
    return tuple(wanted)


def kind(devices: tuple[str, ...]) -> str:
    """The kind of all these devices: `cpu` or `cuda`."""
    return devices[0].partition(":")[0]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers(devices: tuple[str, ...]) -> int:
    """One a GPU, or one a core."""
    return cores() if devices == ("cpu",) else len(devices)
