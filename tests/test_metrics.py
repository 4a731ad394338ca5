"""What students are judged by, against scikit-learn's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, top_k_accuracy_score

from nas_kd.data.classes import balanced, imbalance
from nas_kd.data.source import Labelled, Raw, Request, Source
from nas_kd.data.transfer import TransferSet, prepare
from nas_kd.metrics import METRICS, counts, metric_in_words

Theirs = Callable[[Any, Any], float]
THEIRS: dict[str, Theirs] = {
    "accuracy": lambda labels, logits: accuracy_score(labels, logits.argmax(1)),
    "balanced-accuracy": lambda labels, logits: balanced_accuracy_score(labels, logits.argmax(1)),
    "macro-f1": lambda labels, logits: f1_score(labels, logits.argmax(1), average="macro"),
    "top-5": lambda labels, logits: top_k_accuracy_score(labels, logits, k=5),
    "agreement": lambda labels, logits: accuracy_score(labels, logits.argmax(1)),
}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_scikit_learns(name: str) -> None:
    random = np.random.default_rng(0)
    labels = random.choice(8, 300, p=[0.5, 0.2, 0.1, 0.1, 0.04, 0.03, 0.02, 0.01])
    logits = random.normal(size=(300, 8)) + 1.5 * np.eye(8)[labels]
    ours = METRICS[name].score(torch.tensor(logits), torch.tensor(labels))
    assert float(ours) == pytest.approx(THEIRS[name](labels, logits))


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_judges_several_students_at_once(name: str) -> None:
    logits, labels = torch.randn(3, 50, 6), torch.randint(0, 6, (50,))
    together = METRICS[name].score(logits, labels)
    assert together.tolist() == [float(METRICS[name].score(one, labels)) for one in logits]


def test_guessing_reaches_what_each_metric_gives_for_the_commonest_class() -> None:
    counts_C = torch.tensor([60, 20, 10, 4, 3, 2, 1])
    assert METRICS["accuracy"].chance(counts_C) == pytest.approx(0.6)
    assert METRICS["balanced-accuracy"].chance(counts_C) == pytest.approx(1 / 7)
    assert METRICS["top-5"].chance(counts_C) == pytest.approx(0.97)
    assert METRICS["accuracy"].examples(counts_C) == 100
    assert METRICS["balanced-accuracy"].examples(counts_C) == 22
    assert counts(torch.tensor([0, 2, 2, -1]), 4).tolist() == [1, 0, 2, 0]
    assert [metric_in_words(name) for name in METRICS] == [
        "accuracy", "balanced accuracy", "macro F1", "top-5 accuracy", "agreement with the teacher",
    ]  # fmt: skip


def uneven(tmp_path: Path) -> TransferSet:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), (300, 200, 20))
    images = random.integers(0, 99, (520, 1, 8, 8), np.uint8)
    raw = Raw(("a", "b", "c"), Labelled(images, labels))
    return prepare("mine", Source(load=lambda _: raw), Request(tmp_path), cache=tmp_path)


def test_balanced_weights_give_each_class_the_same_share_of_the_loss(tmp_path: Path) -> None:
    data = uneven(tmp_path)
    labels = data.labels.open()[slice(*data.labelled)]
    weights = np.array(balanced(data))[labels]
    shares = [weights[labels == c].sum() / weights.sum() for c in range(3)]
    assert shares == pytest.approx([1 / 3] * 3)
    assert weights.mean() == pytest.approx(1)
    assert "'c' has 11 examples, 'a' 160" in (imbalance(data) or "")


@pytest.mark.parametrize("name", [name for name, one in METRICS.items() if one.parts])
def test_the_parts_of_every_metric_have_the_score_as_their_mean(name: str) -> None:
    torch.manual_seed(0)
    labels = torch.randint(0, 6, (200,)).clamp(max=4)
    logits = torch.randn(200, 7) + 2 * torch.eye(7)[labels]
    answers = logits.topk(5, -1).indices
    parts = METRICS[name].parts
    assert parts is not None
    score = float(METRICS[name].score(logits, labels))
    assert float(parts(answers, labels).mean()) == pytest.approx(score)


@pytest.mark.parametrize("name", ["balanced-accuracy", "macro-f1"])
def test_the_spread_of_the_parts_is_how_much_the_score_varies(name: str) -> None:
    random = np.random.default_rng(0)
    metric, scores, errors = METRICS[name], [], []
    assert metric.parts is not None
    for _ in range(300):
        labels = torch.tensor(random.choice(4, 400, p=[0.55, 0.25, 0.15, 0.05]))
        logits = torch.tensor(random.normal(size=(400, 4))) + 1.5 * torch.eye(4)[labels]
        scores.append(float(metric.score(logits, labels)))
        parts = metric.parts(logits.topk(4, -1).indices, labels)
        errors.append(float(parts.std() / 20))
    assert np.mean(errors) == pytest.approx(np.std(scores), rel=0.12)
