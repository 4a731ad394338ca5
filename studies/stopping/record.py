"""Record learning curves: every student is trained to the end and scored after each epoch.

    python studies/stopping/record.py digits 64 20 3k 0
    python studies/stopping/record.py glyphs 64 10 20k 0

An ordinary search with a rung at each epoch and a stopper that lets everybody go on. Beside the
curve, what each student reaches on the test split.
"""

import json
import sys
import tempfile
from pathlib import Path

from unseen import test_accuracies, test_examples

from nas_kd.driver import generation
from nas_kd.driver.drive import drive
from nas_kd.driver.options import RunOptions
from nas_kd.spec import StudySpec
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import read_study

data, budget = sys.argv[1], sys.argv[4]
trials, epochs, seed = (int(sys.argv[place]) for place in (2, 3, 5))
spec = StudySpec.create({
    "budget": budget, "data": data, "trials": trials, "epochs": epochs, "seed": seed,
    "rungs": list(range(1, epochs)),
})  # fmt: skip
generation.survivors = lambda live, *rule: frozenset(point.trial for point in live)
folder = Path(tempfile.mkdtemp()) / "study"
drive(spec, RunOptions(folder, 2), lambda event: None)
view = read_study(StudyFolder(folder))
rungs, unseen = (*spec.rungs, epochs), test_accuracies(view)
curves = [
    [
        row.costs[view.cost],
        [accuracy for _, accuracy in row.rungs],
        row.config.family,
        unseen[row.number],
    ]
    for row in view.rows
    if len(row.rungs) == len(rungs)
]
place = Path(__file__).parent / f"{data}-{budget}-{seed}.json"
place.write_text(json.dumps({
    "name": f"{data}, {budget}, {epochs} epochs, seed {seed}",
    "chance": view.facts["chance"], "examples": view.examples,
    "unseen": test_examples(view), "curves": curves,
}))  # fmt: skip
print(f"{place}: {len(curves)} curves")
