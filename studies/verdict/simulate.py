"""How often the verdicts are right: simulated studies that vary seeds and examples.

    python studies/verdict/simulate.py RESULT.json FIGURE.html [STUDIES]

A student answers example i with seed k rightly if
    mean + spread * (sqrt(0.8) shared_i + sqrt(0.2) own_i) + seed_k + noise_ik > 0,
all normal: examples that are hard for one student are mostly hard for another, and a seed moves a
student's accuracy on endless examples by a share of sqrt(accuracy * (1 - accuracy)), which is drawn
for each student from those that were measured on enough examples (luck.json). The truth is then
known, and the functions that judge real studies judge these. Two things of a search are left out:
students that were stopped, and that later ones are proposed after seeing the earlier ones' scores.
"""

import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from math import hypot, sqrt
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from luck import ENOUGH
from scipy.stats import norm

from nas_kd.crossed import LUCK, at_least, difference_of, luck_of
from nas_kd.report.figures import dressed

SPREAD, SHARED = 2.0, 0.8
STUDENTS, SEEDS = 20, 5
EXAMPLES = (360, 1000, 4000, 10000)
ACCURACIES = (0.7, 0.9, 0.95)
MEASURED = json.loads(Path(__file__).with_name("luck.json").read_text())
LUCKS = [one["share"] for one in MEASURED["students"] if one["examples"] >= ENOUGH]
POWER = 3.5


@dataclass(frozen=True, slots=True)
class World:
    """What a simulated study is like."""

    examples: int
    accuracy: float

    @property
    def scale(self) -> float:
        """The standard deviation of all but the mean, without the seed."""
        return sqrt(1 + SPREAD**2)

    def answers(self, random: np.random.Generator, students: int, seeds: int, gains) -> np.ndarray:
        """Right or wrong [students, seeds, examples], of students that are so much better."""
        point = norm.ppf(self.accuracy)
        luck_J = random.choice(LUCKS, students)
        moved_J = luck_J * sqrt(self.accuracy * (1 - self.accuracy)) / norm.pdf(point) * self.scale
        mean_J = norm.ppf(self.accuracy + np.asarray(gains)) * np.sqrt(self.scale**2 + moved_J**2)
        shared_N = random.normal(size=self.examples)
        right = np.empty((students, seeds, self.examples))
        for student in range(students):
            own_N = random.normal(size=self.examples)
            hard_N = SPREAD * (sqrt(SHARED) * shared_N + sqrt(1 - SHARED) * own_N)
            seed_S = moved_J[student] * random.normal(size=(seeds, 1))
            noise_SN = random.normal(size=(seeds, self.examples))
            right[student] = mean_J[student] + hard_N + seed_S + noise_SN > 0
        return right


def worlds(random: np.random.Generator, studies: int) -> list[World]:
    """One world for each study, drawn from all combinations."""
    return [
        World(int(random.choice(EXAMPLES)), float(random.choice(ACCURACIES)))
        for _ in range(studies)
    ]


def error_of(world: World, random: np.random.Generator, seeds: int) -> float:
    """The true standard error of the difference of two equal students, from 60 studies."""
    found = [
        (pair := world.answers(random, 2, seeds, (0, 0)))[0].mean() - pair[1].mean()
        for _ in range(60)
    ]
    return float(np.std(found))


def distillation(world: World, random: np.random.Generator, gain: float) -> bool:
    """Whether a search's verdict says that distillation gained: of two families' pairs, that of the
    higher mean."""
    right_J1N = world.answers(random, 4, 1, (gain, 0, gain, 0))
    pair = max((right_J1N[:2], right_J1N[2:]), key=np.mean)
    luck = hypot(luck_of(float(pair[0].mean())), luck_of(float(pair[1].mean())))
    return difference_of(pair[0], pair[1], luck).low > 0


def naive(world: World, random: np.random.Generator, gain: float) -> bool:
    """What was said before: the best against a twin, as if it had been named beforehand."""
    right_J1N = world.answers(random, STUDENTS + 1, 1, (gain, *[0.0] * STUDENTS))
    best = max(range(STUDENTS), key=lambda j: right_J1N[j].mean())
    return difference_of(right_J1N[best], right_J1N[-1]).low > 0


def search(world: World, random: np.random.Generator, gain: float) -> bool:
    """Whether a search's verdict says that its best of 20 gained over the largest that fits."""
    right_JN = world.answers(random, STUDENTS + 1, 1, (gain, *[0.0] * STUDENTS))[:, 0]
    best = int(right_JN[:-1].mean(1).argmax())
    luck = luck_of(float(right_JN[best].mean()))
    return bool(at_least(right_JN[:-1] - right_JN[-1], luck)[best] > 0)


def confirm(world: World, random: np.random.Generator, gain: float) -> tuple[bool, bool]:
    """Whether a confirm says that a student gained, and whether its interval holds the truth."""
    one, other = world.answers(random, 2, SEEDS, (gain, 0))
    found = difference_of(one, other)
    return found.low > 0, found.low <= gain <= found.high


def share(flags: list[bool]) -> float:
    """The share that is true."""
    return round(float(np.mean(flags)), 4)


def held(drawn: list[World], confirmed: list[tuple[bool, bool]], **like: float) -> float:
    """How often the interval holds the truth in the worlds that are like this."""
    (name, value), *_ = like.items()
    pairs = zip(drawn, confirmed, strict=True)
    return share([holds for world, (_, holds) in pairs if getattr(world, name) == value])


def with_effect(
    judge: Callable[..., bool], seeds: int, drawn: list[World], random: np.random.Generator
) -> float:
    """How often an effect of POWER standard errors of the difference is found."""
    errors: dict[World, float] = {}
    found = []
    for world in drawn:
        if world not in errors:
            errors[world] = error_of(world, random, seeds)
        gain = min(POWER * errors[world], 0.999 - world.accuracy)
        found.append(judge(world, random, gain))
    return share(found)


def main(to: str, figure: str, studies: str = "2000") -> None:
    """Simulate, print, keep and draw."""
    random = np.random.default_rng(0)
    drawn = worlds(random, int(studies))
    confirmed = [confirm(world, random, 0.0) for world in drawn]
    result = {
        "studies": len(drawn), "students": STUDENTS, "seeds": SEEDS, "luck": LUCK,
        "effect_in_errors": POWER,
        "numpy": version("numpy"), "python": platform.python_version(),
        "false_gained": {
            "before": share([naive(world, random, 0.0) for world in drawn]),
            "distillation": share([distillation(world, random, 0.0) for world in drawn]),
            "search": share([search(world, random, 0.0) for world in drawn]),
            "confirm": share([gained for gained, _ in confirmed]),
        },
        "holds_the_truth": {
            "confirm": share([holds for _, holds in confirmed]),
            **{f"confirm, {n} examples": held(drawn, confirmed, examples=n) for n in EXAMPLES},
            **{f"confirm, accuracy {a}": held(drawn, confirmed, accuracy=a) for a in ACCURACIES},
        },
        "found": {
            "distillation": with_effect(distillation, 1, drawn, random),
            "search": with_effect(search, 1, drawn, random),
            "confirm": with_effect(lambda *a: confirm(*a)[0], SEEDS, drawn, random),
        },
    }  # fmt: skip
    print(json.dumps(result, indent=1))
    Path(to).write_text(json.dumps(result, indent=1))
    draw(random, Path(figure))


def draw(random: np.random.Generator, to: Path) -> None:
    """The 95% intervals of a hundred confirms of equal students, those that miss in red."""
    world, figure = World(4000, 0.9), go.Figure()
    for number in range(100):
        one, other = world.answers(random, 2, SEEDS, (0, 0))
        found = difference_of(one, other)
        figure.add_scatter(
            x=[number] * 3, y=[100 * found.low, 100 * found.mean, 100 * found.high],
            mode="lines+markers", marker={"size": [0, 5, 0]}, showlegend=False,
            line={"color": "#dc2626" if found.sign else "#2563eb", "width": 1.5},
        )  # fmt: skip
    figure.add_hline(y=0, line={"color": "#111827", "width": 1})
    figure.update_xaxes(title="simulated confirm of two equal students: 5 seeds, 4,000 examples")
    figure.update_yaxes(title="difference, points")
    dressed(figure, 360).write_html(to, config={"displayModeBar": False})


if __name__ == "__main__":
    main(*sys.argv[1:])
