"""Other networks for the teacher that is trained of signals, each on the same splits and seeds.

    python signal_teachers.py SETS

For each set and network: the mean validation accuracy over seeds 0 to 2, parameters, seconds.
"""

import sys
from collections.abc import Callable
from math import prod
from pathlib import Path
from time import perf_counter

import numpy as np
from torch import nn

from nas_kd.costs.budgets import Shape
from nas_kd.data import source_of
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare
from nas_kd.students.layers import SMALL, convolution, strided
from nas_kd.teachers import network
from nas_kd.teachers.jobs import TeacherJob
from nas_kd.teachers.making import make_teacher
from nas_kd.teachers.teacher import Teacher

WIDTH, EPOCHS, SEEDS = 20, 60, 3
Make = Callable[[Shape, int, int], nn.Module]


def convolutional(kernel: int, pooled: bool) -> Make:
    """As the teacher is, with another kernel, and with or without the mean over the length."""

    def make(input_shape: Shape, classes: int, width: int) -> nn.Module:
        fan_in, *rest = input_shape
        sides: Shape = tuple(rest)
        layers: list[nn.Module] = []
        for block, fan_out in enumerate((width, 2 * width, 4 * width, 4 * width)):
            stride = 2 if max(sides) > SMALL[1] or (block == 3 and 2 * min(sides) > SMALL[1]) else 1
            layers += [*convolution(fan_in, fan_out, kernel, stride, 1), nn.ReLU()]
            sides, fan_in = strided(sides, stride), fan_out
        pool, features = ([nn.AdaptiveAvgPool1d(1)], 1) if pooled else ([], prod(sides))
        return nn.Sequential(*layers, *pool, nn.Flatten(), nn.Linear(fan_in * features, classes))

    return make


for name in ("ArrowHead", "OSULeaf", "ItalyPowerDemand", "GunPoint", "JapaneseVowels"):
    source = f"npz:{Path(sys.argv[1]).resolve()}/{name}.npz"
    for kernel, pooled in ((3, False), (3, True), (5, True), (7, True)):
        network.convolutional = convolutional(kernel, pooled)
        reached, began = [], perf_counter()
        for seed in range(SEEDS):
            data = prepare(source, source_of(source), Request(Path(), layout="signals"), seed)
            teacher = Teacher("train", data.input_shape, len(data.classes), WIDTH)
            reached.append(make_teacher(TeacherJob(teacher, data, EPOCHS, seed)))
        print(
            f"{name}: kernel {kernel}, {'mean' if pooled else 'flat'}: "
            f"{100 * np.mean([one.accuracy for one in reached]):.1f}, {reached[0].parameters:,} "
            f"parameters, {(perf_counter() - began) / SEEDS:.1f} s",
            flush=True,
        )
