"""What the stopper saves and what it costs, replayed on recorded learning curves.

    python studies/stopping/replay.py table ../shared/data/resnet-cifar100-kd.csv
    python studies/stopping/replay.py curves STUDY [STUDY ...]

`table` has one accuracy a network; its learning curves are made up: the accuracy that is still
missing after a share s of the training is 1 + 2 (1 - s) times the final one, times noise whose size
falls with s (10% of it at the first rung), drawn anew for each of 100 seeds. `curves` are studies
that were searched with rungs at which nothing was stopped (`eta` so large that all go on is not
needed: `record.py` makes them). Each seed draws 64 trials in an order of its own, cut into
generations of 16, once with the stopper and once without; the regret is the difference.
"""

import csv
import json
import random
import sys
from pathlib import Path
from statistics import mean, median

from nas_kd.front import Point, best, hypervolume
from nas_kd.study.stopper import survivors

RUNGS = (1 / 9, 1 / 3, 1.0)
SEEDS, TRIALS, GENERATION, ETA = 100, 64, 16, 3


def replay(curves: list[tuple[float, list[float]]], shares: tuple[float, ...]) -> tuple:
    """Finished points and the share of epochs spent, of (cost, accuracy at each rung)."""
    done: list[Point] = []
    history: list[list[Point]] = [[] for _ in shares]
    spent = 0.0
    for first in range(0, len(curves), GENERATION):
        live = list(range(first, min(first + GENERATION, len(curves))))
        before = 0.0
        for rung, share in enumerate(shares):
            spent += (share - before) * len(live)
            before = share
            points = [Point(n, curves[n][1][rung], curves[n][0]) for n in live]
            if share == 1.0:
                done += points
                break
            on = survivors(points, history[rung], ETA)
            history[rung] += points
            live = [n for n in live if n in on]
    return done, spent / len(curves)


def compare(draw, shares: tuple[float, ...], chance: float, examples: int) -> None:
    """Print medians over seeds; `draw(random)` gives the curves of one seed."""
    rows = []
    for seed in range(SEEDS):
        curves = draw(random.Random(seed))
        full = [Point(n, curve[-1], cost) for n, (cost, curve) in enumerate(curves)]
        kept, spent = replay(curves, shares)
        budget = max(p.cost for p in full)
        volumes = [hypervolume(points, budget, chance, examples) for points in (kept, full)]
        top = sorted(full, key=lambda p: (-p.accuracy, p.cost))[:3]
        mine = sorted(kept, key=lambda p: (-p.accuracy, p.cost))[:3]
        error = (top[0].accuracy * (1 - top[0].accuracy) / examples) ** 0.5
        same = all(m.accuracy >= t.accuracy - error for m, t in zip(mine, top, strict=False))
        regret = best(full).accuracy - best(kept).accuracy
        rows.append((spent, volumes[0] / volumes[1], same and len(mine) == 3, regret))
    print(f"  epochs spent        median {median(r[0] for r in rows):.1%}, "
          f"most {max(r[0] for r in rows):.1%}")  # fmt: skip
    print(f"  hypervolume kept    median {median(r[1] for r in rows):.2%}, "
          f"least {min(r[1] for r in rows):.2%}")  # fmt: skip
    print(f"  best three the same, or within one error: {mean(r[2] for r in rows):.0%} of seeds")
    print(f"  regret of the best  mean {100 * mean(r[3] for r in rows):.3f} points, "
          f"most {100 * max(r[3] for r in rows):.2f}")  # fmt: skip


def table(path: str) -> None:
    """The table of trained nets, with made-up curves."""
    rows = csv.DictReader(Path(path).read_text().splitlines())
    nets = [(float(r["parameters"]), float(r["accuracy_distilled"]) / 100) for r in rows]

    def draw(source: random.Random) -> list[tuple[float, list[float]]]:
        curves = []
        for cost, final in source.sample(nets, TRIALS):
            curve = []
            for share in RUNGS:
                missing = (1 - final) * (1 + 2 * (1 - share))
                noise = source.gauss(0, 0.1 * (1 - share))
                curve.append(max(0.01, 1 - missing * (1 + noise)) if share < 1 else final)
            curves.append((cost, curve))
        return curves

    print(f"{Path(path).name}: 64 of {len(nets)} nets, made-up curves, {SEEDS} seeds")
    compare(draw, RUNGS, 0.01, 10_000)


def curves(paths: list[str]) -> None:
    """Recorded curves of our own."""
    for path in paths:
        facts = json.loads(Path(path).read_text())
        recorded = [(cost, curve) for cost, curve in facts["curves"]]

        def draw(source: random.Random, pool=recorded) -> list:
            return source.sample(pool, min(TRIALS, len(pool)))

        print(f"{facts['name']}: {min(TRIALS, len(recorded))} of {len(recorded)} recorded "
              f"students, {SEEDS} orders")  # fmt: skip
        compare(draw, tuple(facts["shares"]), facts["chance"], facts["examples"])


if sys.argv[1] == "table":
    table(sys.argv[2])
else:
    curves(sys.argv[2:])
