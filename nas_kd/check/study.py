"""What a study will take: what fits its budgets, time, memory and disk."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from nas_kd.check.finding import Fact, Finding
from nas_kd.data.transfer import TransferSet, size
from nas_kd.driver.drive import space_in_words
from nas_kd.driver.teacher_names import shared_budgets
from nas_kd.driver.timing import TOO_LARGE, default_jobs, duration_in_words, time_students
from nas_kd.files import cache_folder
from nas_kd.space.first import co_teacher_of, first_samples
from nas_kd.space.resolve import resolve
from nas_kd.space.space import Space
from nas_kd.spec import StudySpec
from nas_kd.students.decode import counts
from nas_kd.training.recipe import Recipe

PROCESS = 0.55e9
"""Bytes of a process that has torch loaded (studies/overhead)."""

CHECKPOINT = 12
"""Bytes for each parameter of a student: it, and the two moments of AdamW."""


def of_study(
    spec: StudySpec, data: TransferSet, workers: int, teacher: int | None, layers: int = 0
) -> Iterator[Fact | Finding]:
    """What fits, and what the study takes, with so many bytes that are kept of teachers' layers.
    Raises BudgetTooSmall, UnusableBudget."""
    budgets = shared_budgets(spec, teacher)
    space = resolve(spec, budgets, data.input_shape, len(data.classes))
    yield Fact("fits", space_in_words(space))
    recipe = Recipe(spec, data, co_teacher=co_teacher_of(space))
    each = time_students(default_jobs(recipe, space))
    said = TOO_LARGE
    if each is not None:
        whole = duration_in_words(each * spec.trials / max(1, workers))
        said = (
            f"about {whole} or less for {spec.trials} trials of {recipe.epochs} epochs "
            f"with {max(1, workers)} workers{', and what the teacher takes' * bool(spec.teacher)}"
        )
    yield Fact("time", said)
    yield from room(spec, data, workers, space, layers)


def room(
    spec: StudySpec, data: TransferSet, workers: int, space: Space, layers: int
) -> Iterator[Fact | Finding]:
    """Memory and disk, and whether there is enough of both."""
    examples = data.examples.open().nbytes
    answers = 4 * data.views.count * size(data.train) * len(data.classes)
    signals = answers * len(spec.teacher) + layers
    students = [counts(space.student(sample)).parameters for sample in first_samples(space)]
    parts = f"{examples / 1e6:,.0f} MB of examples, {signals / 1e6:,.0f} MB of signals"
    for name, need, free, do in (
        ("memory", PROCESS * (1 + workers) + examples + signals, free_memory(),
         "Take fewer workers or views."),
        ("disk", examples + signals + spec.generation * CHECKPOINT * max(students),
         float(shutil.disk_usage(existing(cache_folder())).free),
         "Make room, or set NAS_KD_CACHE to a folder on a larger disk."),
    ):  # fmt: skip
        text = f"about {need / 1e9:.1f} GB ({parts})"
        if free is not None and need > free:
            yield Finding(name, f"{text}, and {free / 1e9:.1f} GB are free", "wrong", do)
        else:
            yield Fact(name, text)


def free_memory() -> float | None:
    """Bytes of memory that can be had, where the system says it."""
    facts = Path("/proc/meminfo")
    if not facts.exists():
        return None
    (found,) = re.findall(r"MemAvailable:\s+(\d+) kB", facts.read_text())
    return 1024.0 * int(found)


def existing(path: Path) -> Path:
    """The path, or its nearest parent that is there."""
    return path if path.exists() else existing(path.parent)
