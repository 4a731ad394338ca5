"""Train the race's teacher: python train_teacher.py DATA ROOT EPOCHS WEIGHTS."""

import sys
from pathlib import Path

import torch
from teacher import network
from torch.nn.functional import cross_entropy

from nas_kd.data import SOURCES
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare
from nas_kd.training import AdamW, Schedule, answer, fit, tensor

name, root, epochs, out = sys.argv[1:]
torch.manual_seed(0)
data = prepare(name, SOURCES[name], Request(Path(root)))
teacher = network(data.input_shape, len(data.classes))
fit(
    teacher,
    AdamW(teacher, torch.tensor([0.004]), torch.tensor([0.05])),
    lambda epoch, index, logits, label: cross_entropy(logits, label, reduction="none"),
    data=data,
    rows=data.teacher,
    schedule=Schedule(int(epochs), 128),
    order_seed=0,
    span=range(int(epochs)),
    on_epoch=lambda: None,
)
right = (
    answer(teacher, data, data.validation).argmax(-1)
    == tensor(data.labels)[slice(*data.validation)]
)
print(f"teacher: {float(right.double().mean()):.4f}")
torch.save({name: value.clone() for name, value in teacher.state_dict().items()}, out)
