"""Every knowledge term once more, example by example, in numpy's float64."""

from itertools import product
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def softened(logits: Array, temperature: float) -> Array:
    powers = np.array([exp(value / temperature) for value in logits])
    return powers / powers.sum()


def divergence(teacher: Array, student: Array) -> float:
    return sum(t * log(t / s) for t, s in zip(teacher, student, strict=True))


def kl(student: Array, teacher: Array, temperature: float) -> list[float]:
    return [
        temperature**2 * divergence(softened(t, temperature), softened(s, temperature))
        for s, t in zip(student, teacher, strict=True)
    ]


def kl_standardized(student: Array, teacher: Array, temperature: float) -> list[float]:
    def standard(logits: Array) -> Array:
        count, mean = len(logits), sum(logits) / len(logits)
        deviation = sqrt(sum((value - mean) ** 2 for value in logits) / (count - 1))
        return np.array([(value - mean) / (deviation + 1e-7) for value in logits])

    return kl(
        np.array([standard(row) for row in student]),
        np.array([standard(row) for row in teacher]),
        temperature,
    )


def logit_mse(student: Array, teacher: Array) -> list[float]:
    return [
        sum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / (2 * len(s))
        for s, t in zip(student, teacher, strict=True)
    ]


def dkd(
    student: Array, teacher: Array, temperature: float, label: Array, target: float, other: float
) -> list[float]:
    found = []
    for s, t, true in zip(student, teacher, label, strict=True):
        true = int(np.argmax(t)) if true < 0 else int(true)
        ps, pt = softened(s, temperature), softened(t, temperature)
        binary = divergence(np.array([pt[true], 1 - pt[true]]), np.array([ps[true], 1 - ps[true]]))
        rest = [c for c in range(len(s)) if c != true]
        among = divergence(pt[rest] / (1 - pt[true]), ps[rest] / (1 - ps[true]))
        found.append(temperature**2 * (target * binary + other * among))
    return found


def pearson(one: Array, other: Array) -> float:
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum() / sqrt((a**2).sum() * (b**2).sum()))


def dist(student: Array, teacher: Array, temperature: float) -> list[float]:
    s = np.array([softened(row, temperature) for row in student])
    t = np.array([softened(row, temperature) for row in teacher])
    classes = range(s.shape[1])
    within = 1 - sum(pearson(s[:, c], t[:, c]) for c in classes) / len(classes)
    return [temperature**2 * (1 - pearson(a, b) + within) for a, b in zip(s, t, strict=True)]


def fitnet(student: list[Array], teacher: list[Array]) -> list[float]:
    (one,), (other,) = student, teacher
    return [float(((a - b) ** 2).sum()) / (2 * a.size) for a, b in zip(one, other, strict=True)]


def attention(student: list[Array], teacher: list[Array]) -> list[float]:
    def unit(maps: Array) -> Array:
        energy = (maps**2).sum(0).ravel()
        return energy / sqrt((energy**2).sum())

    every = [
        [float(((unit(a) - unit(b)) ** 2).sum()) for a, b in zip(one, other, strict=True)]
        for one, other in zip(student, teacher, strict=True)
    ]
    return [sum(layers) / len(layers) for layers in zip(*every, strict=True)]


def huber(x: float) -> float:
    return x**2 / 2 if abs(x) < 1 else abs(x) - 0.5


def rkd(student: list[Array], teacher: list[Array]) -> list[float]:
    def relations(vectors: Array) -> tuple[Array, Array]:
        count = len(vectors)
        far = np.array([[sqrt(((a - b) ** 2).sum()) for b in vectors] for a in vectors])
        far /= far.sum() / (count * (count - 1))
        turned = np.zeros((count, count, count))
        for i, j, k in product(range(count), repeat=3):
            a, b = vectors[j] - vectors[i], vectors[k] - vectors[i]
            if i not in (j, k):
                turned[i, j, k] = a @ b / sqrt((a @ a) * (b @ b))
        return far, turned

    flat = [features[0].reshape(len(features[0]), -1) for features in (student, teacher)]
    (far, turned), (far_t, turned_t) = map(relations, flat)
    count = len(far)
    return [
        sum(huber(far[i, j] - far_t[i, j]) for j in range(count)) / count
        + 2 * sum(huber(turned[i, j, k] - turned_t[i, j, k])
                  for j, k in product(range(count), repeat=2)) / count**2
        for i in range(count)
    ]  # fmt: skip


def similarity(student: list[Array], teacher: list[Array]) -> list[float]:
    def rows(features: list[Array]) -> Array:
        vectors = features[0].reshape(len(features[0]), -1)
        products = np.array([[a @ b for b in vectors] for a in vectors])
        return products / np.sqrt((products**2).sum(1))[:, None]

    return [float(x) for x in ((rows(student) - rows(teacher)) ** 2).sum(1)]


def channel_correlation(student: list[Array], teacher: list[Array]) -> list[float]:
    def cosines(maps: Array) -> Array:
        rows = [channel.ravel() for channel in maps]
        return np.array([[a @ b / sqrt((a @ a) * (b @ b)) for b in rows] for a in rows])

    (one,), (other,) = student, teacher
    return [
        float(((cosines(a) - cosines(b)) ** 2).sum()) / len(a)
        for a, b in zip(one, other, strict=True)
    ]


def fsp(student: list[Array], teacher: list[Array]) -> list[float]:
    def flow(first: Array, second: Array) -> Array:
        return np.array([[(a * b).sum() / a.size for b in second] for a in first])

    pairs = zip(*student, *teacher, strict=True)
    return [float(((flow(a, b) - flow(c, d)) ** 2).mean()) for a, b, c, d in pairs]
