"""Milliseconds to decode a sample into a student that fits: python studies/overhead/decode.py"""

from dataclasses import replace
from itertools import product
from statistics import median
from time import perf_counter

from nas_kd.costs.budgets import parse_budgets
from nas_kd.students import FAMILIES
from nas_kd.students.decode import decode

WIDTHS = (1.0, 0.9, 0.7, 0.5, 0.3, 0.2)
BUDGETS = (("20k",), ("5M macs",), ("200kB",), ("20k", "64kB ram"))


def main() -> None:
    """A line a family, with its closed form and without."""
    for family in tuple(FAMILIES):
        FAMILIES[f"{family}, counted"] = replace(FAMILIES[family], counts=None)
    for family in FAMILIES:
        taken = []
        every = product((2, 4, 6), WIDTHS, BUDGETS)
        for number, (depth, width, texts) in enumerate(every):
            taper = 1 + number / 97  # so that no student was counted before
            sample = {"family": family, "depth": depth, "width": width, "taper": taper}
            began = perf_counter()
            decode(sample, parse_budgets(texts), (3, 32, 32), 10)
            taken.append(1000 * (perf_counter() - began))
        print(f"{family}: median {median(taken):.1f} ms, most {max(taken):.0f}")


if __name__ == "__main__":
    main()
