"""The usual script's learning rate, tuned once: python studies/race/rate.py COURSE ROOT TEACHER.

A cnn of 8-16-32 and an mlp of 24-32 at temperature 4 and alpha 0.5, each at five rates; the rate
with the best mean on validation is `RATE` in usual.py.
"""

import sys
from pathlib import Path

import torch
from race import COURSES
from usual import accuracy, answers, cnn, distilling, fit, loader, mlp, ready

from nas_kd.data import SOURCES
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare

course, root, teacher = COURSES[sys.argv[1]], sys.argv[2], sys.argv[3]
torch.set_num_threads(2)
data = prepare(course.data, SOURCES[course.data], Request(Path(root)))
train, validation = loader(data, data.train, True), loader(data, data.validation, False)
distil = distilling(4.0, 0.5, None, answers(ready(teacher, data), data))
for rate in (0.002, 0.005, 0.01, 0.02, 0.05):
    scores = []
    for build, widths in ((cnn, (8, 16, 32)), (mlp, (24, 32))):
        torch.manual_seed(0)
        model = build(widths, data.input_shape, len(data.classes))
        fit(model, train, course.epochs, distil, rate)
        scores.append(accuracy(model, validation))
    print(f"{rate}: cnn {scores[0]:.4f}, mlp {scores[1]:.4f}", flush=True)
