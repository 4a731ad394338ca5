"""The search replayed on a table of 64 trained residual networks, in milliseconds a study.

    python studies/table/replay.py resnet-cifar100-kd.csv

A net is three block counts, each of 1, 3, 5, 7, asked as they are; one that is over the budget is
replaced by the nearest smaller one that fits (fewer blocks in as few stages as can be, the largest
of those). Regret: the accuracy of the best net in the budget minus that of the best found in 10
trials. `search` is nas-kd's own order: the largest that fits first, then spread evenly.
"""

import csv
import sys
from itertools import product
from pathlib import Path
from statistics import mean, stdev

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import RandomSampler, TPESampler

from nas_kd.space.sampler import spread

COUNTS = (1, 3, 5, 7)
TRIALS, SEEDS = 10, 200
BUDGETS = (200_000, 300_000, 400_000, 500_000, 600_000, 700_000)
ASKED = {f"blocks_{stage}": CategoricalDistribution(COUNTS) for stage in (1, 2, 3)}

Net = tuple[int, int, int]


def read(path: str) -> dict[Net, tuple[float, float]]:
    """(parameters, accuracy when distilled) of each net."""
    rows = csv.DictReader(Path(path).read_text().splitlines())
    return {
        (int(row["blocks_1"]), int(row["blocks_2"]), int(row["blocks_3"])): (
            float(row["parameters"]), float(row["accuracy_distilled"]),
        )
        for row in rows
    }  # fmt: skip


def fitted(net: Net, table: dict, budget: float) -> Net:
    """The net, or the nearest smaller one that fits."""
    smaller = [n for n in product(*(range(1, count + 1, 2) for count in net))
               if table[n][0] <= budget]  # fmt: skip
    return min(smaller, key=lambda n: (sum(a - b for a, b in zip(net, n, strict=True)),
                                       -table[n][0]))  # fmt: skip


def largest(table: dict, budget: float) -> Net:
    """The net of most parameters that fits."""
    return max((n for n in table if table[n][0] <= budget), key=lambda n: table[n][0])


def proposals(how: str, seed: int, table: dict, budget: float) -> list[Net]:
    """The nets of one study's trials, in order."""
    sampler = RandomSampler(seed=seed) if how == "random" else TPESampler(
        multivariate=True, n_startup_trials=5 if how == "tpe" else 4, seed=seed
    )  # fmt: skip
    study = optuna.create_study(direction="maximize", sampler=sampler)
    nets: list[Net] = []
    for number in range(TRIALS):
        trial = study.ask(ASKED)
        net = tuple(trial.params[name] for name in ASKED)
        if how == "search" and number == 0:
            net = largest(table, budget)
        elif how == "search" and number < 5:
            net = tuple(spread(ASKED, seed, number - 1).values())
        nets.append(fitted(net, table, budget))
        study.tell(trial, table[nets[-1]][1])
    return nets


def main() -> None:
    """Print mean regret and its 95% interval for each way and budget."""
    table = read(sys.argv[1])
    ways = ("search", "tpe", "random", "largest that fits")
    print(f"mean regret in points after {TRIALS} trials, {SEEDS} seeds, +- 95%\n")
    print("| parameters | " + " | ".join(ways) + " |\n|---|" + "---|" * len(ways))
    for budget in BUDGETS:
        best = max(accuracy for size, accuracy in table.values() if size <= budget)
        cells = []
        for way in ways:
            if way == "largest that fits":
                cells.append(f"{best - table[largest(table, budget)][1]:.2f}")
                continue
            regrets = [
                best - max(table[net][1] for net in proposals(way, seed, table, budget))
                for seed in range(SEEDS)
            ]
            half = 1.96 * stdev(regrets) / SEEDS**0.5
            cells.append(f"{mean(regrets):.3f} +- {half:.3f}")
        print(f"| {budget:,} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    import warnings

    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    main()
