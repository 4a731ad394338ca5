"""How long a network takes to answer one example on this machine, in microseconds.

On one thread of the CPU, in eval mode. The network takes turns with one that is always the same:
what else the machine does slows both, so their ratio stays, and is read in the other's time when
nothing else ran. What was measured is kept in the cache, so that a study that is resumed, or asked
twice, decodes the same students.
"""

import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import torch
from torch import Tensor, nn

from nas_kd.costs.budgets import Shape
from nas_kd.files import cache_folder

WARM = 10
"""Answers before anything is timed."""

ROUNDS = 15
"""Turns that a network and the one beside it take; odd, so that the median is one of them."""

TURN = 0.002
"""Seconds that a turn takes at least, so that the clock's own steps are nothing."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds of one answer: the median, and half of its 95% interval."""

    median: float
    half: float


def measure_latency(network: nn.Module, input_shape: Shape) -> Latency:
    """Time a network; it is put into eval mode.

    The interval is that of a median, 1.57 interquartile ranges over the root of the rounds (McGill,
    Tukey and Larsen 1978, "Variations of box plots").
    """
    example_1X = torch.zeros((1, *input_shape))
    beside = companion()
    with one_thread(), torch.inference_mode():
        turns = [timed(net.eval(), inputs) for net, inputs in ((network, example_1X), beside)]
        ratios = []
        for _ in range(ROUNDS):
            mine, others = (turn() for turn in turns)
            ratios.append(mine / others)
            QUIET.append(others)
    low, _, high = quantiles(ratios, n=4)
    unit = 1e6 * min(QUIET)
    return Latency(median(ratios) * unit, 1.57 * (high - low) / ROUNDS**0.5 * unit)


QUIET: list[float] = []
"""Seconds of one answer of the network beside, in every turn that it took in this process."""


@lru_cache(maxsize=1)
def companion() -> tuple[nn.Module, Tensor]:
    """The network beside: convolutions, norms and ReLUs of a middling student, and an example."""
    with torch.random.fork_rng(devices=[]):
        layers = [
            part
            for fan_in, fan_out in ((3, 16), (16, 24), (24, 32))
            for part in (nn.Conv2d(fan_in, fan_out, 3, 2, 1), nn.BatchNorm2d(fan_out), nn.ReLU())
        ]
        return nn.Sequential(*layers), torch.zeros(1, 3, 32, 32)


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread inside the block, as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def timed(network: nn.Module, example_1X: Tensor) -> Callable[[], float]:
    """A function that gives the mean seconds of an answer over one turn; warm already."""
    for _ in range(WARM):
        network(example_1X)
    began = perf_counter()
    network(example_1X)
    answers = max(1, ceil(TURN / (perf_counter() - began)))

    def turn() -> float:
        began = perf_counter()
        for _ in range(answers):
            network(example_1X)
        return (perf_counter() - began) / answers

    return turn


def remembered(key: str, network: Callable[[], nn.Module], input_shape: Shape) -> Latency:
    """The latency of the network of this key; measured once on this machine, then kept."""
    known = known_latencies(place())
    if key not in known:
        known[key] = found = measure_latency(network(), input_shape)
        place().parent.mkdir(parents=True, exist_ok=True)
        with place().open("a") as file:
            file.write(json.dumps([key, found.median, found.half]) + "\n")
    return known[key]


@lru_cache(maxsize=8)
def known_latencies(path: Path) -> dict[str, Latency]:
    """What was measured before; a line that was cut off by a crash is left out."""
    found: dict[str, Latency] = {}
    if path.exists():
        for line in path.read_text().splitlines():
            try:
                key, middle, half = json.loads(line)
            except ValueError:
                continue
            found.setdefault(key, Latency(middle, half))
    return found


def place() -> Path:
    """The file of what was measured with this torch on this kind of machine."""
    return cache_folder() / f"latency-{torch.__version__}-{machine()}.jsonl"


@lru_cache(maxsize=1)
def machine() -> str:
    """The processor's name, as part of a file's name."""
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((x.partition(":")[2] for x in lines if x.startswith("model name")), name)
    return "-".join("".join(c if c.isalnum() else " " for c in name).split())
