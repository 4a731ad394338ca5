"""Hinton, Vinyals and Dean 2015, section 3: distillation on MNIST, by this project's own trainer.

    python studies/hinton-mnist/measure.py [rows temperatures threes] [--short]

A folder `data` with MNIST lies in the working folder, or is named by --data-root. Each part is made
of units; run again, a study takes all units that are there.

Suffixes: B examples, N rows, C classes, G students, V views.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import platform
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nas_kd.crossed import difference_of, mean_of
from nas_kd.data import source_of
from nas_kd.data.arrays import ArrayRef
from nas_kd.data.source import Request
from nas_kd.data.transfer import Rows, TransferSet, prepare, size
from nas_kd.data.views import Views, number
from nas_kd.knowledge.objective import mixed
from nas_kd.knowledge.response import kl
from nas_kd.students import build
from nas_kd.students.family import StudentConfig
from nas_kd.students.mlp import MLP
from nas_kd.students.packing import own_parts
from nas_kd.training import Schedule, answer, fit, tensor
from nas_kd.workers.reproducible import reproducible

BATCH = 128
JITTER = Views(count=25, shift=2)
"""Every shift of up to 2 pixels."""

RATES = (0.03, 0.1, 0.3)
DROPOUTS = ((0.2, 0.5), (0.1, 0.3), (0.0, 0.3), (0.0, 0.15))
"""Of the teacher's input and of its hidden layers; the first is Srivastava's."""

TEMPERATURES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0, 40.0)
TEMPERATURE, ALPHA = 20.0, 0.9
"""Of the distilled rows: the temperature is Hinton's."""

PLAIN = torch.contiguous_format


@dataclass(frozen=True, slots=True)
class Row:
    """A student that is trained: with or without the teacher, and with or without jitter."""

    alpha: float
    jitter: bool


ROWS = {
    "alone": Row(0.0, False),
    "distilled": Row(ALPHA, False),
    "alone-jitter": Row(0.0, True),
    "distilled-jitter": Row(ALPHA, True),
}


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done: all of it, or the short form, which tells nothing."""

    teacher: int = 100
    student: int = 60
    choice: int = 20
    dropout: int = 40
    """Epochs by which the dropout is chosen."""
    dropouts: tuple[tuple[float, float], ...] = DROPOUTS
    temperatures: tuple[float, ...] = TEMPERATURES
    rates: tuple[float, ...] = RATES
    examples: int | None = None
    hidden: tuple[int, int] = (1200, 800)
    """Units a layer of the teacher and of the student."""


SHORT = Effort(
    teacher=2, student=1, choice=1, dropout=1, dropouts=DROPOUTS[:2], temperatures=(1.0, 20.0),
    rates=(0.1,), examples=2_000, hidden=(64, 32),
)  # fmt: skip


class Momentum:
    """Stochastic gradient descent with momentum, as `fit` takes it, and a bound on the length of
    each unit's incoming weights."""

    def __init__(self, network: nn.Module, rate: float, longest: float | None = None) -> None:
        self.parameters, self.rate, self.longest = list(network.parameters()), rate, longest
        self.velocities = [torch.zeros_like(value) for value in self.parameters]

    def zero_grad(self) -> None:
        """Forget the gradients of the last step."""
        for value in self.parameters:
            value.grad = None

    @torch.no_grad()
    def step(self, number: int, share: float) -> None:
        """A step at this share of the peak rate."""
        gradients = [value.grad for value in self.parameters]
        torch._foreach_mul_(self.velocities, 0.9)
        torch._foreach_add_(self.velocities, gradients)
        torch._foreach_add_(self.parameters, self.velocities, alpha=-self.rate * share)
        if self.longest:
            for weight in (value for value in self.parameters if value.ndim > 1):
                length = weight.norm(dim=1, keepdim=True)
                weight.mul_((self.longest / length.clamp_min(1e-12)).clamp_max(1.0))


LONGEST = 15**0.5
"""Srivastava et al. 2014, "Dropout", appendix B.1, bounds the squared length by 15 on MNIST."""


def teacher_network(hidden: int, dropout: tuple[float, float] = (0.0, 0.0)) -> nn.Module:
    """Two hidden layers with dropout of the input and of each."""
    seen, within = dropout
    return nn.Sequential(
        nn.Flatten(), nn.Dropout(seen),
        nn.Linear(784, hidden), nn.ReLU(), nn.Dropout(within),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(within),
        nn.Linear(hidden, 10),
    )  # fmt: skip


def student_config(hidden: int) -> StudentConfig:
    """Two hidden layers of so many units."""
    return StudentConfig("mlp", (1, 28, 28), 10, 2, (hidden, hidden))


@dataclass(frozen=True)
class Study:
    """Where the units lie, and what they share."""

    place: Path
    data: TransferSet
    effort: Effort
    kept: dict[str, Any]
    """Units that a result.json has already."""

    @property
    def everything(self) -> TransferSet:
        """The data whose transfer set is all that is not for test, as in the paper."""
        return replace(self.data, train=(self.data.train[0], self.data.validation[1]))

    def unit(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What a unit found: read, or made now and kept."""
        path = self.place / "units" / f"{name}.json"
        if not path.exists() and name in self.kept:
            return self.kept[name]
        if not path.exists():
            began = time.perf_counter()
            found = make() | {"seconds": round(time.perf_counter() - began)}
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".new").write_text(json.dumps(found))
            path.with_suffix(".new").rename(path)
            shown = {key: value for key, value in found.items() if key != "wrong"}
            print(name, shown, flush=True)
        found = json.loads(path.read_text())
        return dict(found)

    def trained_teacher(
        self, data: TransferSet, seed: int, dropout: tuple[float, float], epochs: int
    ) -> nn.Module:
        """A teacher, trained on jittered digits with a bound on the weights."""
        torch.manual_seed(seed)
        network = teacher_network(self.effort.hidden[0], dropout)
        fitted(network, Momentum(network, 0.1, LONGEST), replace(data, views=JITTER),
               lambda epoch, index_B, logits_BC, label_B: cross_entropy(
                   logits_BC, label_B, reduction="none"),
               epochs, seed)  # fmt: skip
        return network

    def dropout_tried(self, dropout: tuple[float, float]) -> int:
        """A teacher's errors on validation, with this dropout and one seed."""

        @reproducible()
        def tried() -> dict[str, Any]:
            network = self.trained_teacher(self.data, 1000, dropout, self.effort.dropout)
            return {"validation": errors(network, self.data, self.data.validation)["errors"]}

        seen, within = dropout
        return int(self.unit(f"dropout-{seen}-{within}", tried)["validation"])

    def teacher(self, name: str, data: TransferSet, seed: int) -> nn.Module:
        """A teacher that was trained on a train split: kept, or trained now, with the dropout that
        did best on validation."""
        dropout = min(self.effort.dropouts, key=self.dropout_tried)
        network, path = teacher_network(self.effort.hidden[0]), self.place / f"{name}.safetensors"

        @reproducible()
        def train() -> dict[str, Any]:
            fresh = self.trained_teacher(data, seed, dropout, self.effort.teacher)
            self.place.mkdir(parents=True, exist_ok=True)
            save_file(fresh.state_dict(), path.with_suffix(".new"))
            path.with_suffix(".new").rename(path)
            return errors(fresh, data, data.test) | {
                "validation": errors(fresh, data, data.validation)["errors"], "dropout": dropout,
            }  # fmt: skip

        if not path.exists():
            (self.place / "units" / f"{name}.json").unlink(missing_ok=True)
            self.kept.pop(name, None)
        self.unit(name, train)
        network.load_state_dict(load_file(path))
        return network.eval().requires_grad_(False)

    def signals(self, name: str, data: TransferSet, seed: int) -> Tensor:
        """A teacher's logits [V, N, C] to the train split, as each view shows it."""
        path = self.place / f"{name}-signals.npy"
        if not path.exists():
            network = self.teacher(name, data, seed)
            logits_VNC = torch.stack([
                answer(network, data, data.train, PLAIN, how=how) for how in JITTER.table()
            ])  # fmt: skip
            np.save(path, logits_VNC.numpy())
        return torch.from_numpy(np.load(path))


def fitted(
    network: nn.Module,
    optimizer: Any,
    data: TransferSet,
    loss: Callable[[int, Tensor, Tensor, Tensor], Tensor],
    epochs: int,
    seed: int,
) -> None:
    """Train on the train split by the project's loop."""
    fit(network, optimizer, loss, data=data, rows=data.train, schedule=Schedule(epochs, BATCH),
        order_seed=seed, span=range(epochs), on_epoch=lambda: None, layout=PLAIN)  # fmt: skip


def errors(network: nn.Module, data: TransferSet, rows: Rows) -> dict[str, Any]:
    """How many answers to these rows are wrong, and which."""
    logits_NC = answer(network, data, rows, PLAIN)
    wrong_N = logits_NC.argmax(-1) != tensor(data.labels)[slice(*rows)]
    rows_W = wrong_N.nonzero()[:, 0].tolist()
    return {"errors": len(rows_W), "wrong": " ".join(map(str, rows_W))}


def imitation(
    logits_VNC: Tensor | None, alpha: float, temperature: float | Tensor
) -> Callable[[int, Tensor, Tensor, Tensor], Tensor]:
    """The loss of a student, or of several packed ones with a temperature each."""
    views = 1 if logits_VNC is None else len(logits_VNC)

    @lru_cache(maxsize=1)
    def target(epoch: int) -> Tensor:
        assert logits_VNC is not None
        count = logits_VNC.shape[1]
        return logits_VNC[number(epoch, count, views), torch.arange(count)]

    def loss(epoch: int, index_B: Tensor, student_BC: Tensor, label_B: Tensor) -> Tensor:
        soft_B = None
        if logits_VNC is not None:
            soft_B = kl(student_BC, target(epoch % views)[index_B], temperature)
        return mixed(student_BC, label_B, soft_B, alpha)

    return loss


def student(
    study: Study, data: TransferSet, row: Row, signals: Tensor | None, rate: float, epochs: int,
    seed: int, temperature: float = TEMPERATURE,
) -> nn.Module:  # fmt: skip
    """A trained student of the paper's size."""
    torch.manual_seed(seed)
    network = build(student_config(study.effort.hidden[1]))
    seen = replace(data, views=JITTER if row.jitter else Views())
    shown = None if signals is None else signals[: seen.views.count]
    fitted(network, Momentum(network, rate), seen, imitation(shown, row.alpha, temperature),
           epochs, seed)  # fmt: skip
    return network


def choose(study: Study) -> dict[str, float]:
    """The learning rate of each row that does best on validation, with one seed; the teacher has
    not seen validation either."""
    data, seed = study.data, 1000
    found = {}
    for name, row in ROWS.items():

        @reproducible()
        def tried(rate: float, row: Row = row) -> dict[str, Any]:
            signals = study.signals("teacher-choice", data, seed) if row.alpha else None
            network = student(study, data, row, signals, rate, study.effort.choice, seed)
            return {"validation": errors(network, data, data.validation)["errors"]}

        scores = {
            rate: study.unit(f"rate-{name}-{rate}", lambda rate=rate: tried(rate))["validation"]
            for rate in study.effort.rates
        }
        found[name] = min(scores, key=lambda rate: scores[rate])
    return found


def rows(study: Study, seeds: Sequence[int]) -> None:
    """The teacher and the four rows of students, on all that is not for test."""
    rates, data = choose(study), study.everything
    for seed in seeds:
        signals = study.signals(f"teacher-{seed}", data, seed)
        for name, row in ROWS.items():

            @reproducible()
            def trained(
                name: str = name, row: Row = row, seed: int = seed, signals: Tensor = signals
            ) -> dict[str, Any]:
                given = signals if row.alpha else None
                epochs = study.effort.student
                network = student(study, data, row, given, rates[name], epochs, seed)
                return errors(network, data, data.test) | {"rate": rates[name]}

            study.unit(f"{name}-{seed}", trained)


def temperatures(study: Study, seeds: Sequence[int]) -> None:
    """Errors on validation over temperatures, of the paper's students and of ones of 30 units."""
    rate, data = choose(study)["distilled"], study.data
    signals = study.signals("teacher-choice", data, 1000)[:1]
    row, asked = ROWS["distilled"], study.effort.temperatures
    for seed in seeds:

        @reproducible()
        def narrow(seed: int = seed) -> dict[str, Any]:
            return small_students(study, signals, seed, rate)

        study.unit(f"temperatures-30-{seed}", narrow)
        for temperature in asked:

            @reproducible()
            def wide(temperature: float = temperature, seed: int = seed) -> dict[str, Any]:
                epochs = study.effort.choice
                network = student(study, data, row, signals, rate, epochs, seed, temperature)
                return {"validation": errors(network, data, data.validation)["errors"]}

            study.unit(f"temperature-800-{temperature:g}-{seed}", wide)


def small_students(study: Study, signals: Tensor, seed: int, rate: float) -> dict[str, Any]:
    """Students of 30 units a layer, one a temperature, packed into one network."""
    asked, config, data = study.effort.temperatures, student_config(30), study.data
    assert MLP.pack is not None
    network = MLP.pack.build([config] * len(asked))
    torch.manual_seed(seed)
    own = build(config).state_dict()
    shapes = {name: tuple(value.shape) for name, value in own.items()}
    with torch.no_grad():
        for place in range(len(asked)):
            parts = own_parts(network.state_dict(), shapes, MLP.pack.names(config), place)
            for name, value in own.items():
                parts[name].copy_(value)
    temperature_G11 = torch.tensor(asked)[:, None, None]
    fitted(network, Momentum(network, rate), data, imitation(signals, ALPHA, temperature_G11),
           study.effort.student, seed)  # fmt: skip
    logits_GNC = answer(network, data, data.validation, PLAIN)
    wrong_GN = logits_GNC.argmax(-1) != tensor(data.labels)[slice(*data.validation)]
    return {"validation": dict(zip(map(str, asked), wrong_GN.sum(-1).tolist(), strict=True))}


THREE = 3


def threes(study: Study, seeds: Sequence[int]) -> None:
    """A student that has seen no 3 in its transfer set, and no label; then the bias of 3 is raised
    until its mean probability of a 3, on unlabelled pictures, is the teacher's."""
    rate, data = choose(study)["distilled"], study.everything
    for seed in seeds:
        signals = study.signals(f"teacher-{seed}", data, seed)[:1]
        labels_N = tensor(data.labels)[slice(*data.train)]
        kept_N = labels_N != THREE
        examples = tensor(data.examples)[slice(*data.train)][kept_N]
        without = replace(
            data,
            examples=ArrayRef.save(examples.numpy(), study.place / "no-threes.npy"),
            labels=ArrayRef.save(labels_N[kept_N].numpy(), study.place / "no-threes-labels.npy"),
            train=(0, len(examples)),
        )

        @reproducible()
        def trained(seed: int = seed, without: TransferSet = without, kept_N: Tensor = kept_N,
                    signals: Tensor = signals) -> dict[str, Any]:  # fmt: skip
            network = student(study, without, Row(1.0, False), signals[:, kept_N], rate,
                              study.effort.student, seed)  # fmt: skip
            teacher = study.teacher(f"teacher-{seed}", data, seed)
            before = of_threes(network, data)
            wanted = float(
                answer(teacher, data, data.validation, PLAIN).softmax(-1)[:, THREE].mean()
            )
            logits_NC = answer(network, data, data.validation, PLAIN)
            raised = bias_for(logits_NC, wanted)
            with torch.no_grad():
                network[-1].bias[THREE] += raised
            return {"before": before, "after": of_threes(network, data), "bias": round(raised, 3)}

        study.unit(f"threes-{seed}", trained)


def bias_for(logits_NC: Tensor, wanted: float) -> float:
    """What to add to the bias of 3 so that its mean probability is as wanted."""
    low, high = -20.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        moved_NC = logits_NC.clone()
        moved_NC[:, THREE] += middle
        low, high = (
            (middle, high) if moved_NC.softmax(-1)[:, THREE].mean() < wanted else (low, middle)
        )
    return low


def of_threes(network: nn.Module, data: TransferSet) -> dict[str, int | float]:
    """Errors on test, those on threes, and the share of threes that is right."""
    labels_N = tensor(data.labels)[slice(*data.test)]
    wrong_N = answer(network, data, data.test, PLAIN).argmax(-1) != labels_N
    missed = int(wrong_N[labels_N == THREE].sum())
    count = int((labels_N == THREE).sum())
    return {"errors": int(wrong_N.sum()), "of threes": missed, "right": 1 - missed / count}


def summed_up(study: Study, seeds: Sequence[int]) -> dict[str, Any]:
    """Everything that is there, as a README's tables have it."""
    units = study.kept | {path.stem: json.loads(path.read_text())
                          for path in (study.place / "units").glob("*.json")}  # fmt: skip
    count = size(study.data.test)

    def right_of(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        right = np.ones((len(seeds), count))
        for place, seed in enumerate(seeds):
            right[place, [*map(int, units[f"{name}-{seed}"]["wrong"].split())]] = 0
        return right

    found: dict[str, Any] = {"units": dict(sorted(units.items()))}
    known = [name for name in ("teacher", *ROWS)
             if all(f"{name}-{seed}" in units for seed in seeds)]  # fmt: skip
    found["errors"] = {name: as_errors(mean_of(right_of(name)), count) for name in known}
    pairs = (("distilled", "alone"), ("distilled-jitter", "alone-jitter"),
             ("distilled-jitter", "distilled"))  # fmt: skip
    found["fewer errors"] = {}
    for one, other in pairs:
        if one in known and other in known:
            gained = difference_of(right_of(one), right_of(other))
            ends = [round(count * value, 1) for value in (gained.mean, gained.low, gained.high)]
            found["fewer errors"][f"{one} than {other}"] = ends
    return found


def as_errors(right: Any, count: int) -> list[float]:
    """The mean number of errors, and the ends of its interval."""
    return [round(count * (1 - share), 1) for share in (right.mean, right.high, right.low)]


PARTS = {"rows": rows, "temperatures": temperatures, "threes": threes}


def main() -> None:
    """Measure the parts that are asked for, and write what is known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("which", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--short", action="store_true", help="half a minute, tells nothing")
    parser.add_argument("--place", default="runs/hinton-mnist")
    parser.add_argument("--data-root", default="data")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    if unknown := {*given.which} - {*PARTS}:
        parser.error(f"no part is called {', '.join(sorted(unknown))}: say {', '.join(PARTS)}")
    torch.set_num_threads(1)
    effort = SHORT if given.short else Effort()
    place = Path(f"{given.place}-short" if given.short else given.place)
    if given.short:
        shutil.rmtree(place, ignore_errors=True)
        given.seeds = given.seeds[:2]
    request = Request(Path(given.data_root).resolve(), 0)
    data = prepare("mnist", source_of("mnist"), request)
    data = replace(data, mean=(0.0,), std=(255.0,))  # dropout of the input takes pixels to black
    if effort.examples:
        last = data.train[1]
        data = replace(data, train=(last - effort.examples, last))
    kept = place if given.short else Path(__file__).parent
    result = kept / "result.json"
    known = json.loads(result.read_text())["units"] if result.exists() else {}
    study = Study(place, data, effort, known)
    for part in given.which or PARTS:
        PARTS[part](study, given.seeds)
    facts = summed_up(study, given.seeds) | {
        "versions": {name: version(name) for name in ("nas-kd", "torch")}
        | {"python": platform.python_version()},
        "processor": torch.backends.cpu.get_cpu_capability(),
    }
    result.write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps({key: facts[key] for key in ("errors", "fewer errors")}, indent=1))


if __name__ == "__main__":
    main()
