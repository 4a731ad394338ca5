"""Record learning curves: every student is trained to the end and scored at each rung.

    python studies/stopping/record.py digits 64 20 3k
    python studies/stopping/record.py glyphs 64 10 20k

An ordinary search, with a stopper that lets everybody go on; its rungs' accuracies are the curves.
"""

import json
import sys
import tempfile
from pathlib import Path

from nas_kd.spec import StudySpec
from nas_kd.study import generation
from nas_kd.study.driver import drive
from nas_kd.study.folder import StudyFolder
from nas_kd.study.options import RunOptions
from nas_kd.study.reading import read_study

data, trials, epochs, budget = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
spec = StudySpec.create({"budget": budget, "data": data, "trials": trials, "epochs": epochs})
generation.survivors = lambda live, earlier, eta: frozenset(point.trial for point in live)
folder = Path(tempfile.mkdtemp()) / "study"
drive(spec, RunOptions(folder, 2), lambda event: None)
view = read_study(StudyFolder(folder))
rungs = (*spec.rungs, epochs)
curves = [
    [row.cost, [accuracy for _, accuracy in row.rungs]]
    for row in view.rows
    if len(row.rungs) == len(rungs)
]
place = Path(__file__).parent / f"{data}-{budget}.json"
place.write_text(json.dumps({
    "name": f"{data}, {budget}, {epochs} epochs", "shares": [rung / epochs for rung in rungs],
    "chance": view.facts["chance"], "examples": view.examples, "curves": curves,
}))  # fmt: skip
print(f"{place}: {len(curves)} curves")
