"""Under two budgets at once: is what the search finds better than the largest that fits?

    python studies/budgets/two.py --seeds 1

Each study is a search of 32 trials. Its best student, and the better of the families' largest that
fit (their default students with the teacher, chosen on the validation examples as well), are scored
on the test examples, once. The difference has a 95% interval of paired answers.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from nas_kd.api import Study
from nas_kd.data.transfer import TransferSet
from nas_kd.package.load import load_student
from nas_kd.study.folder import StudyFolder

STUDIES = (
    ("glyphs", ("20k", "400k macs"), 10),
    ("glyphs", ("10k", "8kB ram"), 10),
    ("mnist1d", ("5k", "40k macs"), 20),
    ("digits", ("3k", "2kB ram"), 20),
)


def right(study: Study, trial: int, to: Path) -> np.ndarray:
    """Which test examples a trial's student answers rightly."""
    package = study.export(str(trial), to) if not to.exists() else to
    data = TransferSet.from_json(StudyFolder(to.parent).data.read_text())
    rows = slice(*data.test)
    examples, labels = data.examples.open()[rows], data.labels.open()[rows]
    student = load_student(package)
    with torch.inference_mode():
        parts = torch.from_numpy(np.array(examples)).split(512)
        answers = torch.cat([student(part) for part in parts]).argmax(-1).numpy()
    return answers == labels


def main() -> None:
    """Search, compare, print a line a study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    print("| data | budgets | seed | found | largest that fits | difference, points |")
    print("|---|---|---|---|---|---|")
    for data, budgets, epochs in STUDIES:
        for seed in range(given.seeds):
            folder = given.out / f"{data}-{'-'.join(budgets)}-{seed}".replace(" ", "-")
            command = [str(Path(sys.executable).with_name("nas-kd")), "search", "--data", data,
                       "--trials", "32", "--epochs", str(epochs), "--seed", str(seed),
                       "--study", str(folder), "--quiet"]  # fmt: skip
            for budget in budgets:
                command += ["--budget", budget]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            study = Study.open(folder)
            frame = study.trials()
            first = frame[(frame["number"] < 4) & (frame["alpha"] > 0)]
            fixed = first.loc[first["accuracy"].idxmax()]
            best = frame[frame["state"] == "complete"].sort_values(
                ["accuracy", "parameters"], ascending=[False, True]
            ).iloc[0]  # fmt: skip
            found, plain = (
                right(study, int(row["number"]), folder / f"trial-{row['number']}")
                for row in (best, fixed)
            )
            off = found.astype(float) - plain
            half = 1.96 * off.std() / len(off) ** 0.5
            print(f"| {data} | {', '.join(budgets)} | {seed} "
                  f"| {best['family']} {best['channels']}: {100 * found.mean():.2f} "
                  f"| {fixed['family']} {fixed['channels']}: {100 * plain.mean():.2f} "
                  f"| {100 * off.mean():+.2f} +- {100 * half:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
