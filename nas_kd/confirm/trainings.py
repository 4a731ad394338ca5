"""One student trained with one seed, and scored once on the test split; kept, and found again.

A training depends on its student, seed and epochs alone. So confirms of other students, or of more
seeds, take what is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from nas_kd.confirm.finalists import Finalist
from nas_kd.data.signals import Signals
from nas_kd.data.transfer import Rows
from nas_kd.driver.context import StageContext
from nas_kd.driver.events import Ended, Started, Step, Trained
from nas_kd.driver.jobs import train_students
from nas_kd.errors import UnusableStudy
from nas_kd.files import hashed, write_text
from nas_kd.records import read_record
from nas_kd.study.checkpoints import keep_student
from nas_kd.study.looks import count_score
from nas_kd.training import RungJob, RungResult, derive
from nas_kd.training.recipe import Recipe

Answers = NDArray[np.uint16]
ANSWERS, OUTCOME = "answers.npy", "outcome.json"
RATES = (1.0, 1 / 3, 3.0)
"""The twin's learning rate is one of these times the one that was found with the teacher."""

RATE_SEED = -1
"""The seed with which learning rates are compared: none of those that are scored on test."""


class Outcome(BaseModel):
    """What became of a training. It is written last, so that it counts."""

    model_config = ConfigDict(frozen=True)

    accuracy: float
    """The study's metric: on the test split, or where a learning rate is chosen on validation."""
    seconds: float
    fault: str | None
    sha256: str | None
    """Hash of its answers."""


@dataclass(frozen=True, slots=True)
class Training:
    """One student with one seed."""

    finalist: Finalist
    seed: int

    @property
    def name(self) -> str:
        """What it is called while it runs."""
        rate = f"learning rate {rate_of(self.finalist):.4f}"
        how = rate if self.seed == RATE_SEED else f"seed {self.seed}"
        return f"{self.finalist.role}, {how}"

    @property
    def folder(self) -> str:
        """The name of its folder, in that of its student."""
        return "rate" if self.seed == RATE_SEED else f"seed-{self.seed}"


@dataclass(frozen=True, slots=True)
class ConfirmContext(StageContext):
    """What the parts of a confirm share; its recipe has the epochs of the confirm."""

    signals: Mapping[str, Signals]
    """Of each teacher, by its name."""
    on_test: Mapping[str, Signals]
    """The same, with the teacher's answers to the test split where the metric compares with those;
    `signals` has its answers to the validation split."""

    def place(self, training: Training) -> Path:
        """The folder of a training."""
        epochs = self.folder.confirmed / f"epochs-{self.recipe.epochs}"
        return epochs / training.finalist.key / training.folder


def recipe_of(recipe: Recipe, seed: int) -> Recipe:
    """The recipe of a seed of the confirm: it draws initial weights and the order of examples."""
    spec = recipe.spec.model_copy(update={"seed": derive(recipe.spec.seed, "confirm", seed)})
    return replace(recipe, spec=spec)


def job_of(context: ConfirmContext, training: Training, rows: Rows) -> RungJob:
    """The job of a training, scored on these rows."""
    recipe, finalist = recipe_of(context.recipe, training.seed), training.finalist
    member = recipe.member(0, finalist.config, finalist.settings, 0)
    signals = context.on_test if rows == recipe.data.test else context.signals
    return recipe.job([member], signals, 0, recipe.epochs, rows)


def kept(place: Path) -> Outcome | None:
    """What became of a training; None if it is not done. Raises UnusableStudy for answers that were
    changed."""
    right = f"Remove the folder {place}; its student is then trained and scored once more."
    if not (place / OUTCOME).exists():
        return None
    outcome = read_record(Outcome, place / OUTCOME, right, UnusableStudy)
    if outcome.fault is None:
        try:
            same = hashed(place / ANSWERS) == outcome.sha256
        except OSError:
            same = False
        if not same:
            wrong = "are missing, or not what they were"
            raise UnusableStudy(str(place / ANSWERS), wrong, right)
    return outcome


def found_of(context: ConfirmContext, training: Training) -> tuple[float, Answers] | None:
    """What a student reached, and the top-5 classes [N, K] that it gave to each test example; None
    if it failed."""
    place = context.place(training)
    outcome = kept(place)
    if outcome is None or outcome.fault:
        return None
    answers_NK: Answers = np.load(place / ANSWERS)
    return outcome.accuracy, answers_NK


def train(context: ConfirmContext, trainings: Iterable[Training], rows: Rows) -> None:
    """Train and score what is not kept yet."""
    wanted: dict[Path, Training] = {}
    for training in trainings:
        wanted.setdefault(context.place(training), training)
    for place, training in wanted.items():
        if kept(place) is None:
            send(context, training, place, rows)
    context.queue.run_until()


def send(context: ConfirmContext, training: Training, place: Path, rows: Rows) -> None:
    """Submit a training; its student and outcome are kept when it arrives."""
    progress = context.folder.progress(f"{training.finalist.key}-{training.seed}")

    def arrived(results: tuple[tuple[RungResult, ...], ...]) -> None:
        progress.unlink(missing_ok=True)
        context.observe(Ended(training.name))
        ((result,),) = results
        if training.seed != RATE_SEED:
            count_score(context.folder.root)
        keep(place, training, result)
        split = "validation" if training.seed == RATE_SEED else "test"
        context.observe(Trained(training.name, result.accuracy, split, result.fault))

    context.observe(Started(training.name, context.recipe.epochs, progress, planned=True))
    job = job_of(context, training, rows)
    context.queue.submit(train_students, job, (), progress, then=arrived)


def keep(place: Path, training: Training, result: RungResult) -> None:
    """Keep a student with its answers, and last its outcome."""
    sound = result.fault is None
    if sound:
        keep_student(place, training.finalist.config, result)
    outcome = Outcome(
        accuracy=result.accuracy,
        seconds=round(result.seconds, 2),
        fault=result.fault,
        sha256=hashed(place / ANSWERS) if sound else None,
    )
    write_text(place / OUTCOME, outcome.model_dump_json(indent=1))


def with_own_rate(context: ConfirmContext, twin: Finalist) -> Finalist:
    """The twin at that of three learning rates which does best on validation, with one seed.

    The rate that was found is for the student with the teacher. Ties go to it.
    """
    tried = rates_of(twin)
    train(context, tried, context.recipe.data.validation)
    chosen = known_rate(context, twin)
    assert chosen is not None, "all three are trained"
    context.observe(Step(
        f"twin      learning rate {rate_of(chosen):.4f} of "
        + ", ".join(f"{rate_of(one.finalist):.4f} ({100 * (reached(context, one) or 0):.1f}%)"
                    for one in tried)
        + " on validation"
    ))  # fmt: skip
    return chosen


def known_rate(context: ConfirmContext, twin: Finalist) -> Finalist | None:
    """The twin at its own learning rate; None if one of the three is not trained yet."""
    tried = rates_of(twin)
    scores = [reached(context, one) for one in tried]
    known = [score for score in scores if score is not None]
    return tried[known.index(max(known))].finalist if len(known) == len(tried) else None


def rates_of(twin: Finalist) -> list[Training]:
    """The trainings by which a twin's learning rate is chosen, that which was found first."""
    return [Training(twin.with_rate(rate_of(twin) * share), RATE_SEED) for share in RATES]


def rate_of(finalist: Finalist) -> float:
    """The learning rate of a student."""
    return float(finalist.settings["learning_rate"])


def reached(context: ConfirmContext, training: Training) -> float | None:
    """What a training reached, 0 if it failed; None if it is not done."""
    outcome = kept(context.place(training))
    return None if outcome is None else 0.0 if outcome.fault else outcome.accuracy
