"""Where each value of a quantised student lies in one arena, whose size is the RAM it needs.

An operation needs what it reads, what it gives, and what later ones will read. Sums, products and
tables write over what they read where nobody else reads it, and a reshaped value is where it was:
the rule by which nas_kd/costs/counting.py counts RAM.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from nas_kd.costs.budgets import FLOAT, whole_floats
from nas_kd.students.quantised.operations import (
    Add,
    Lookup,
    Multiply,
    Program,
    Reshape,
    Step,
    Weighted,
)

ORDERS = 2_000
"""Orders in which values are placed, at most."""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the arena that is needed from one step to another, both included."""

    size: int
    first: int
    last: int
    aligned: bool


@dataclass(frozen=True, slots=True)
class Arena:
    """The bytes of memory a student needs, and where each step's value begins."""

    size: int
    least: int
    """The most bytes that are needed at once: no arena is smaller."""
    offsets: Mapping[str, int]


def bytes_of(step: Step) -> int:
    """What a step's value takes."""
    return prod(step.shape) * (FLOAT if step.operation.out is None else 1)


def arena_of(program: Program) -> Arena:
    """The smallest arena that is found, of a whole number of floats."""
    holders = holders_of(program)
    names = list(dict.fromkeys(holders.values()))
    steps = {step.name: step for step in program.steps}
    read = {n: i for i, step in enumerate(program.steps) for n in step.reads}
    born = {step.name: i for i, step in enumerate(program.steps)}
    blocks = {
        name: Block(
            bytes_of(steps[name]),
            born[name],
            max(max(read.get(one, born[one]), born[one]) for one in holders
                if holders[one] == name),
            steps[name].operation.out is None,
        )
        for name in names
    }  # fmt: skip
    least = max(
        sum(block.size for block in blocks.values() if block.first <= now <= block.last)
        for now in range(len(program.steps))
    )
    least = whole_floats(least)
    size, places = packed(list(blocks.values()), least)
    offsets = dict(zip(names, places, strict=True))
    return Arena(size, least, {name: offsets[holder] for name, holder in holders.items()})


def holders_of(program: Program) -> dict[str, str]:
    """For each step the one in whose memory its value lies."""
    last = {name: number for number, step in enumerate(program.steps) for name in step.reads}
    size = {step.name: bytes_of(step) for step in program.steps}
    holders: dict[str, str] = {}
    for number, step in enumerate(program.steps):
        free = [
            name for name in step.reads
            if all(last.get(one, -1) <= number
                   for one, holder in holders.items() if holder == holders[name])
        ]  # fmt: skip
        over = max(free, key=lambda name: size[name], default=None)
        if isinstance(step.operation, Reshape):
            holders[step.name] = holders[step.reads[0]]
        elif in_place(step) and over is not None and size[over] >= size[step.name]:
            holders[step.name] = holders[over]
        else:
            holders[step.name] = step.name
    return holders


def in_place(step: Step) -> bool:
    """Whether a step can write over what it reads."""
    operation = step.operation
    lone_norm = isinstance(operation, Weighted) and operation.pointwise
    return lone_norm or isinstance(operation, Add | Multiply | Lookup)


def packed(blocks: Sequence[Block], least: int) -> tuple[int, list[int]]:
    """The size of an arena and where each block begins in it, the smallest of several tries."""
    largest_first = sorted(range(len(blocks)), key=lambda one: -blocks[one].size)
    best = placed(blocks, largest_first)
    draw = random.Random(0)
    for _ in range(ORDERS):
        if best[0] <= least:
            break
        order = largest_first[:]
        draw.shuffle(order)
        best = min(best, placed(blocks, order), key=lambda found: found[0])
    return best


def placed(blocks: Sequence[Block], order: Sequence[int]) -> tuple[int, list[int]]:
    """Each block, in this order, at the lowest place that is free for as long as it is needed."""
    begins = [0] * len(blocks)
    done: list[int] = []
    for one in order:
        block = blocks[one]
        beside = sorted(
            (begins[other], blocks[other].size)
            for other in done
            if blocks[other].first <= block.last and block.first <= blocks[other].last
        )
        place = 0
        for begin, size in beside:
            if place + block.size <= begin:
                break
            place = max(place, begin + size)
            if block.aligned:
                place = whole_floats(place)
        begins[one] = place
        done.append(one)
    return whole_floats(max(begins[one] + blocks[one].size for one in done)), begins
