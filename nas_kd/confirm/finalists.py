"""Who is confirmed: the found student, and the controls that it must beat."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any, Self

import torch
from torch import nn

from nas_kd.costs.budgets import COSTS, LATENCY
from nas_kd.data.transfer import TransferSet
from nas_kd.errors import Unusable, UnusableStudy
from nas_kd.intervals import not_told_apart
from nas_kd.spec.settings import Value
from nas_kd.students import build
from nas_kd.students.by_path import WHOLE
from nas_kd.students.family import StudentConfig
from nas_kd.study.record import StudentRecord
from nas_kd.study.view import StudyView
from nas_kd.teachers.networks import sizes

BEST, DISTILLED, TWIN = "best", "best distilled", "its twin, alone"
KNEE, SMALLEST, RANDOM, BASELINE = "knee", "smallest", "best of random", "baseline"
ALONE = ", alone"


@dataclass(frozen=True, slots=True)
class Finalist:
    """A student that is trained with each seed; finalists of one key are one student."""

    role: str
    config: StudentConfig
    settings: Mapping[str, Value]
    costs: Mapping[str, int]
    """What it costs, of each kind that could be counted."""
    trial: int | None = None
    """The trial of the study that it is, or is the twin of."""
    over: bool = False
    """Whether it is over the study's budget, as a network of the user's may be."""

    @classmethod
    def of(cls, role: str, record: StudentRecord) -> Self:
        """A trial of the study as a finalist."""
        return cls(role, record.config, record.settings, record.costs, record.number)

    @property
    def key(self) -> str:
        """Names the student and its settings."""
        text = self.config.to_json() + json.dumps(dict(self.settings), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """The student in words: cnn 12-24, or what a network of the user's is called."""
        family = self.config.family
        name = family.removeprefix(WHOLE) if family.startswith(WHOLE) else self.config.name()
        return name + ", over the budget" * self.over

    def with_rate(self, rate: float) -> Self:
        """The same student at another learning rate."""
        return replace(self, settings={**self.settings, "learning_rate": rate})


def finalists(view: StudyView, front: bool) -> list[Finalist]:
    """The best student, its twin without the teacher, and each family's default student with and
    without; with `front` also the knee, and the smallest within one standard error of the best.

    Where the best had no teacher, the best distilled student follows it, and the twin is its twin.
    Raises UnusableStudy for a study that has not ended.
    """
    expect_ended(view)
    top, taught = view.pick(BEST), view.best_taught
    found = [Finalist.of(BEST, top)]
    if taught and taught.number != top.number:
        found.append(Finalist.of(DISTILLED, taught))
    if taught and "twin" in view.facts:
        found.append(of_control(TWIN, view.facts["twin"]))
    for family in view.facts["families"]:
        found += [Finalist.of(role_of(row), row) for row in view.defaults(family)]
        if alone := view.facts.get(f"largest {family} alone"):
            found.append(of_control(f"largest {family}{ALONE}", alone))
    if front:
        near = not_told_apart(view.points, view.examples)
        least = min(
            (view.rows[n] for n in near),
            key=lambda r: (r.costs[view.cost], -(r.accuracy or 0.0), r.number),
        )
        found += [Finalist.of(KNEE, view.pick(KNEE)), Finalist.of(SMALLEST, least)]
    return found


def role_of(default: StudentRecord) -> str:
    """The role of a family's default student."""
    return f"largest {default.config.family}" + ("" if default.taught else ALONE)


def expect_ended(view: StudyView) -> None:
    """Raise UnusableStudy for a study whose controls are not all trained; without labels there are
    none."""
    if view.spec.teacher_classes:
        if view.rows and all(row.finished for row in view.rows):
            return
        raise UnusableStudy(str(view.folder.root), "has not ended", "Run the search to its end.")
    twin, taught = view.facts.get("twin"), view.best_taught
    lacks = ["the best student's twin"] if taught and (
        not twin or twin["trial"] != taught.number
    ) else []  # fmt: skip
    for family in view.facts["families"]:
        name = f"largest {family} alone"
        if all(row.taught for row in view.defaults(family)) and name not in view.facts:
            lacks.append(name)
    if lacks:
        wrong = f"has not ended: not trained yet is {', '.join(lacks)}"
        right = f"Run the search to its end: nas-kd search --study {quote(str(view.folder.root))}"
        raise UnusableStudy(str(view.folder.root), wrong, right)


def of_control(role: str, facts: Mapping[str, Any]) -> Finalist:
    """A control of the search as a finalist."""
    config = StudentConfig.from_json(facts["student"])
    costs = {kind: facts[kind] for kind in (*COSTS, LATENCY) if kind in facts}
    return Finalist(role, config, json.loads(facts["settings"]), costs, facts["trial"])


def baselines(name: str, view: StudyView, data: TransferSet) -> list[Finalist]:
    """The user's own network as it is, distilled and alone, with a default student's settings.

    Raises Unusable for one that cannot be trained on the study's examples.
    """
    config = StudentConfig(f"{WHOLE}{name}", data.input_shape, len(data.classes), 1, ())
    network = trainable(f"--baseline {name}", config)
    config = replace(config, options={"form": form_of(network)})
    parameters, macs, _ = sizes(network, data.input_shape)
    costs = {"parameters": parameters} | ({} if macs is None else {"macs": macs})
    over = any(costs.get(cost, 0) > bound for cost, bound in view.facts["budgets"])
    first = view.rows[0]
    found = []
    if not view.spec.teacher_classes:
        found.append(Finalist(f"{BASELINE}{ALONE}", config, alone_settings(view), costs, over=over))
    if first.taught:
        found.insert(0, Finalist(BASELINE, config, first.settings, costs, over=over))
    return found


def trainable(given: str, config: StudentConfig) -> nn.Module:
    """The user's network, which took a step on two made-up examples. Raises Unusable."""
    right = "Name a function without arguments that returns a network for the study's data."
    examples_BX = torch.zeros(2, *config.input_shape)
    try:
        network = build(config)
        network.eval()
        with torch.no_grad():
            answer = network(examples_BX)
        network.train()
        network(torch.cat([examples_BX, examples_BX + 1])).sum().backward()
    except (Exception, SystemExit) as error:  # whatever code of the user's does
        cause = error.wrong if isinstance(error, Unusable) else f"{type(error).__name__}: {error}"
        wrong = f"cannot be made and trained on examples of shape {config.input_shape} ({cause})"
        raise Unusable(given, wrong, right) from error
    shape = tuple(getattr(answer, "shape", ()))
    if shape != (2, config.classes):
        wrong = f"gives {shape or type(answer).__name__} for 2 examples of {config.classes} classes"
        raise Unusable(given, wrong, right)
    return network


def form_of(network: nn.Module) -> str:
    """A name for the layers of a network and their shapes: one that was changed is another."""
    shapes = [(name, tuple(value.shape)) for name, value in network.state_dict().items()]
    return hashlib.sha256(f"{network}{shapes}".encode()).hexdigest()[:12]


def alone_settings(view: StudyView) -> Mapping[str, Value]:
    """The settings of the first family's default student without the teacher."""
    for record in view.defaults(view.facts["families"][0]):
        if not record.taught:
            return record.settings
    facts = view.facts[f"largest {view.facts['families'][0]} alone"]
    settings: Mapping[str, Value] = json.loads(facts["settings"])
    return settings
