"""Teachers of a user, good and bad."""

import warnings

import torch
from sklearn.datasets import load_digits
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor, nn

from nas_kd.teachers.network import wide


def small() -> nn.Module:
    return wide((1, 8, 8), 10, 4)


def eight_wide() -> nn.Module:
    return wide((1, 8, 8), 10, 8)


def seven_classes() -> nn.Module:
    return wide((1, 8, 8), 7, 4)


def colour() -> nn.Module:
    return wide((3, 8, 8), 10, 4)


def guessing() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def a_number() -> int:
    return 3


def needs_an_argument(classes: int) -> nn.Module:
    return wide((1, 8, 8), classes, 4)


class NotFinite(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.full((len(images), 10), torch.nan)


def not_finite() -> nn.Module:
    return NotFinite()


class Restless(nn.Module):
    """Counts its calls in a buffer, in eval mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return images.flatten(1)[:, :10]


def restless() -> nn.Module:
    return Restless()


def linear() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def of_the_batch() -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), *linear())


class KeptInTrainMode(nn.Module):
    """Normalises by the batch that it sees, whatever its mode."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = linear()

    def forward(self, images: Tensor) -> Tensor:
        return self.layers((images - images.mean(0)) / (images.std(0, correction=0) + 1))


def kept_in_train_mode() -> nn.Module:
    return KeptInTrainMode()


class Random(nn.Module):
    """Answers with what is drawn anew each time."""

    def __init__(self, drop: bool) -> None:
        super().__init__()
        self.layers, self.drop = linear(), drop

    def forward(self, images: Tensor) -> Tensor:
        logits = self.layers(images)
        if self.drop:
            return nn.functional.dropout(logits, 0.3, training=True)
        return logits + 0.1 * torch.randn_like(logits)


def always_dropped() -> nn.Module:
    return Random(drop=True)


def noisy() -> nn.Module:
    return Random(drop=False)


class NeverAlone(nn.Module):
    """Takes two examples or more."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = linear()

    def forward(self, images: Tensor) -> Tensor:
        if len(images) == 1:
            raise ValueError("expected more than one example")
        return self.layers(images)


def never_alone() -> nn.Module:
    return NeverAlone()


def lazy() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(10))


def exported() -> nn.Module:
    first = ({0: torch.export.Dim("examples")},)
    program = torch.export.export(
        linear(), (torch.zeros(2, 1, 8, 8),), dynamic_shapes=first, strict=False
    )
    return program.module()


def for_a_batch_of_64() -> nn.Module:
    return torch.export.export(linear(), (torch.zeros(64, 1, 8, 8),), strict=False).module()


def quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao is to be replaced
        return torch.ao.quantization.quantize_dynamic(linear(), {nn.Linear})


class OfObjects(nn.Module):
    """Answers by an object that is no parameter."""

    def __init__(self) -> None:
        super().__init__()
        pictures, classes = load_digits(return_X_y=True)
        self.tree = DecisionTreeClassifier(max_depth=8, random_state=0).fit(pictures, classes)

    def forward(self, images: Tensor) -> Tensor:
        return torch.tensor(self.tree.predict_proba(images.flatten(1).numpy())).float()


def of_objects() -> nn.Module:
    return OfObjects()


def fitted() -> nn.Module:
    """A linear network, fitted to the digits by least squares."""
    pictures, classes = load_digits(return_X_y=True)
    network = linear()
    X = torch.tensor(pictures, dtype=torch.float64)
    X = torch.cat([(X - X.mean()) / X.std(), torch.ones(len(X), 1)], 1)
    targets = nn.functional.one_hot(torch.tensor(classes)).double() * 8 - 4
    solved = torch.linalg.solve(X.T @ X + 10 * torch.eye(65), X.T @ targets)
    layer = network[1]
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.weight.copy_(solved[:-1].T)
        layer.bias.copy_(solved[-1])
    return network
