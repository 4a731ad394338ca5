"""Whether a search finds as good a front where it learns from its last trials and the front alone.

    python studies/scale/learned.py [--trials 4000] [--seeds 3] [--short]

The sampler proposes and the formula of measure.py answers, without a database and rungs. The
front is chosen by what the formula says with its noise, and judged by what it says without.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import measure
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas_kd.costs.budgets import parse_budgets
from nas_kd.front import Point, front, hypervolume
from nas_kd.space import sampler
from nas_kd.space.resolve import resolve
from nas_kd.space.sample import distributions, params_of, settings_of
from nas_kd.spec import StudySpec
from nas_kd.students.decode import counts

HERE = Path(__file__).resolve().parent

BUDGET, SHAPE, CLASSES, EXAMPLES = 20_000, (1, 8, 8), 10, 360
"""Of digits, for which the formula stands."""


def searched(seed: int, trials: int, learned: int) -> dict[str, float]:
    """The worth of the front in the end, and the milliseconds of a proposal."""
    sampler.LEARNED = learned
    spec = StudySpec.create(measure.SPEC | {"trials": trials, "seed": seed})
    space = resolve(spec, parse_budgets(spec.budget), SHAPE, CLASSES)
    asked = distributions(space)
    known: list[FrozenTrial] = []
    found, clean, spent = list[Point](), dict[int, float](), 0.0
    for first in range(0, trials, spec.generation):
        began = time.process_time()
        proposed = list(sampler.propose_all(known, range(first, first + spec.generation), space))
        spent += time.process_time() - began
        for number, sample in proposed:
            config = space.student(sample)
            cost = counts(config).parameters
            clean[number] = measure.expected(config, settings_of(space, sample))
            reached = measure.noisy(clean[number], seed * trials + number)
            found.append(Point(number, reached, cost))
            params: dict[str, Any] = params_of(space, sample, asked)
            told = create_trial(state=TrialState.COMPLETE, values=(reached, cost), params=params,
                                distributions=asked)  # fmt: skip
            told.number = number
            known.append(told)
    judged = [Point(p.trial, clean[p.trial], p.cost) for p in front(found)]
    worth = hypervolume(judged, BUDGET, 1 / CLASSES, EXAMPLES)
    return {"worth": round(worth, 4), "ms": round(1000 * spent / trials, 1)}


def main() -> None:
    """Search with all trials and with the last, seed by seed, and keep what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=4_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--short", action="store_true", help="96 trials, tells nothing")
    given = parser.parse_args()
    trials, few = (96, 32) if given.short else (given.trials, sampler.LEARNED)
    rows = []
    for seed in range(1 if given.short else given.seeds):
        for learned in (trials, few):
            rows.append({"seed": seed, "learned from": learned, **searched(seed, trials, learned)})
            print(json.dumps(rows[-1]), flush=True)
    if not given.short:
        kept = {"trials": trials, "rows": rows}
        (HERE / "result-learned.json").write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
