"""What a user writes today: an Optuna objective over a DataLoader, one trial after another.

    python usual.py DATA ROOT BUDGET STUDENTS EPOCHS SEED TEACHER FAMILIES CACHED OUT

Two torch threads, TPE with two objectives, sizes over the budget pruned and drawn again until
STUDENTS are trained. CACHED = 0 runs the teacher at each step, 1 computes its logits once.
TEACHER is a file of weights, or a number of epochs for which one is trained first.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import optuna
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from nas_kd.data import SOURCES
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare
from nas_kd.training import default_batch

sys.path.insert(0, str(Path(__file__).parent))
from teacher import network

RATE = 0.01
"""Tuned once, on digits: rate.py."""


class Pictures(Dataset):
    """One example at a time, normalised, with its index."""

    def __init__(self, images, labels, mean, std):
        self.images, self.labels = images, labels
        self.mean = torch.tensor(mean).view(-1, 1, 1)
        self.std = torch.tensor(std).view(-1, 1, 1)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = torch.from_numpy(self.images[index]).float().sub(self.mean).div(self.std)
        return image, int(self.labels[index]), index


def mlp(widths, shape, classes):
    layers, fan_in = [nn.Flatten()], int(np.prod(shape))
    for width in widths:
        layers += [nn.Linear(fan_in, width), nn.ReLU()]
        fan_in = width
    return nn.Sequential(*layers, nn.Linear(fan_in, classes))


def cnn(widths, shape, classes):
    layers, fan_in = [], shape[0]
    for block, width in enumerate(widths):
        layers += [nn.Conv2d(fan_in, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        if block < 2 and shape[1] >= 16:
            layers.append(nn.MaxPool2d(2))
        fan_in = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(fan_in, classes))


def fit(model, loader, epochs, loss_of, rate=RATE):
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=epochs * len(loader)
    )
    model.train()
    for _ in range(epochs):
        for image, label, index in loader:
            loss = loss_of(model(image), label, image, index)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def labels_only(answer, label, image, index):
    return functional.cross_entropy(answer, label)


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    right = sum(int((model(image).argmax(1) == label).sum()) for image, label, _ in loader)
    return right / len(loader.dataset)


def loader(data, rows, shuffle):
    images, labels = (array.open()[slice(*rows)] for array in (data.examples, data.labels))
    batch = default_batch(rows[1] - rows[0])  # nas-kd's, so that both take the same steps
    return DataLoader(Pictures(images, labels, data.mean, data.std), batch, shuffle=shuffle)


def ready(teacher, data):
    big = network(data.input_shape, len(data.classes))
    if teacher.isdigit():
        fit(big, loader(data, data.teacher, True), int(teacher), labels_only, 0.004)
    else:
        big.load_state_dict(torch.load(teacher))
    return big.eval()


@torch.no_grad()
def answers(big, data):
    return torch.cat([big(image) for image, _, _ in loader(data, data.train, False)])


def distilling(T, alpha, big, logits):
    def distil(answer, label, image, index):
        if logits is None:
            with torch.no_grad():
                target = big(image)
        else:
            target = logits[index]
        soft = functional.kl_div(
            functional.log_softmax(answer / T, 1), functional.softmax(target / T, 1),
            reduction="batchmean",
        )  # fmt: skip
        return (1 - alpha) * functional.cross_entropy(answer, label) + alpha * T * T * soft

    return distil


def main():
    name, root, budget, students, epochs, seed, teacher, families, cached, out = sys.argv[1:]
    began = time.time()
    torch.set_num_threads(2)
    torch.manual_seed(int(seed))
    data = prepare(name, SOURCES[name], Request(Path(root)))
    shape, classes = data.input_shape, len(data.classes)
    train, validation = loader(data, data.train, True), loader(data, data.validation, False)
    big = ready(teacher, data)
    logits = answers(big, data) if cached == "1" else None
    scored, wasted = [], 0

    def objective(trial):
        nonlocal wasted
        family = trial.suggest_categorical("family", families.split(","))
        depth = trial.suggest_int("depth", 1, 4)
        low, high = (4, 64) if family == "cnn" else (8, 128)
        widths = [trial.suggest_int(f"{family}{n}", low, high, log=True) for n in range(depth)]
        T = trial.suggest_float("temperature", 1, 20, log=True)
        alpha = trial.suggest_float("alpha", 0, 1)
        model = {"cnn": cnn, "mlp": mlp}[family](widths, shape, classes)
        size = sum(p.numel() for p in model.parameters())
        if size > int(budget):
            wasted += 1
            raise optuna.TrialPruned

        fit(model, train, int(epochs), distilling(T, alpha, big, logits))
        score = accuracy(model, validation)
        scored.append([time.time() - began, score, size])
        if len(scored) == int(students):
            trial.study.stop()
        return score, size

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(seed=int(seed))
    )
    study.optimize(objective)
    Path(out).write_text(json.dumps({"points": scored, "wasted": wasted,
                                     "epochs": len(scored) * int(epochs)}))  # fmt: skip


if __name__ == "__main__":
    main()
