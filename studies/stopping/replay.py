"""What the stopper saves and what it costs, replayed on recorded learning curves.

    python studies/stopping/replay.py table resnet-cifar100-kd.csv
    python studies/stopping/replay.py curves studies/stopping/digits-3k.json

`table` is a table of trained networks without learning curves: what a network reached alone
stands for its accuracy at both rungs, and what it reached with it is the end. `curves`
were recorded by `record.py`. Each of 100 seeds draws 64 trials in an order of its own, cut into
generations of 16, and compares what the stopper keeps with everything; the first four of `curves`
are the default students, which come first and are never stopped.
"""

import csv
import json
import random
import sys
from pathlib import Path
from statistics import mean, median

from nas_kd.front import Point, best, hypervolume
from nas_kd.study.stopper import survivors

RUNGS = (1 / 5, 2 / 5, 1.0)
SEEDS, TRIALS, GENERATION, ETA, STEADY = 100, 64, 16, 3, 4


def replay(
    curves: list[tuple[float, list[float]]], shares: tuple[float, ...], steady: int
) -> tuple[list[Point], float]:
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
            live = [n for n in live if n in on or n < steady]
    return done, spent / len(curves)


def compare(draw, shares, chance: float, examples: int, steady: int) -> None:
    """Print medians over seeds; `draw(random)` gives the curves of one seed."""
    rows = []
    for seed in range(SEEDS):
        curves = draw(random.Random(seed))
        full = [Point(n, curve[-1], cost) for n, (cost, curve) in enumerate(curves)]
        kept, spent = replay(curves, shares, steady)
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
    """The table of trained nets."""
    rows = csv.DictReader(Path(path).read_text().splitlines())
    nets = []
    for row in rows:
        alone, taught = (float(row[f"accuracy_{how}"]) / 100 for how in ("alone", "distilled"))
        nets.append((float(row["parameters"]), [alone, alone, taught]))
    print(f"{Path(path).name}: {TRIALS} of {len(nets)} nets, {SEEDS} seeds")
    compare(lambda source: source.sample(nets, TRIALS), RUNGS, 0.01, 10_000, 0)


def curves(paths: list[str]) -> None:
    """Recorded curves of our own."""
    for path in paths:
        facts = json.loads(Path(path).read_text())
        first, rest = facts["curves"][:STEADY], facts["curves"][STEADY:]

        def draw(source: random.Random, first=first, rest=rest) -> list:
            return first + source.sample(rest, min(TRIALS, len(rest) + STEADY) - STEADY)

        print(f"{facts['name']}: {len(first) + len(rest)} recorded students, {SEEDS} orders")
        compare(draw, tuple(facts["shares"]), facts["chance"], facts["examples"], STEADY)


if sys.argv[1] == "table":
    table(sys.argv[2])
else:
    curves(sys.argv[2:])
