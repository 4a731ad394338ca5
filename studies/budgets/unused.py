"""How much of a budget its largest students leave unused, and the next larger neighbour's cost.

    python studies/budgets/unused.py

Every family with every option, in three decades of four kinds of budget, five input shapes, depths
1 to 6; the neighbour is the largest student with one more channel in its cheapest block.
"""

from itertools import product
from statistics import median

from nas_kd.costs.budgets import COSTS, parse_budgets
from nas_kd.errors import BudgetTooSmall
from nas_kd.students import FAMILIES
from nas_kd.students.decode import cost, decode, larger

SHAPES = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (6, 128), (30,))
UNITS = {"parameters": "", "macs": " macs", "bytes": "B"}
DECADES = {"parameters": (2_000, 20_000, 200_000), "macs": (200_000, 2_000_000, 20_000_000),
           "bytes": (8_000, 80_000, 800_000)}  # fmt: skip


def main() -> None:
    """Print a line for each family and cost."""
    print("| family | cost | students | median unused | most unused | its next larger neighbour |")
    print("|---|---|---|---|---|---|")
    for family, kind in product(FAMILIES, COSTS):
        if kind not in UNITS:
            continue  # memory alone bounds no student
        rows = []
        for bound, shape in product(DECADES[kind], SHAPES):
            if len(shape) - 1 not in FAMILIES[family].sides:
                continue
            budgets = parse_budgets([f"{bound}{UNITS[kind]}"])
            for depth, values in product(range(1, 7), product(*FAMILIES[family].options.values())):
                options = dict(zip(FAMILIES[family].options, values, strict=True))
                sample = {"family": family, "depth": depth, "width": 1.0, "taper": 1.2} | options
                try:
                    config = decode(sample, budgets, shape, 10)
                except BudgetTooSmall:
                    continue
                next_cost = min(cost(n, budgets[0]) for n in larger(config, 1))
                assert next_cost > bound >= cost(config, budgets[0])
                rows.append((1 - cost(config, budgets[0]) / bound, next_cost / bound, config))
        worst = max(rows, key=lambda row: row[0])
        print(f"| {family} | {kind} | {len(rows)} | {median(r[0] for r in rows):.2%} | "
              f"{worst[0]:.1%}: {worst[2].label()}, {worst[2].input_shape} | "
              f"{worst[1]:.1%} of the budget |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
