"""The straight line: data, teacher, signals, generations, controls; resumed where it stopped."""

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import Any

import numpy as np
from optuna.exceptions import StorageInternalError
from safetensors.numpy import save

from nas_kd.costs import parse_budgets
from nas_kd.data import source_of
from nas_kd.data.classes import MEND_IMBALANCE, imbalance
from nas_kd.data.transfer import TransferSet, prepare, shape_in_words, size
from nas_kd.errors import SpecDiffers, Unusable, UnusableData, UnusableStudy
from nas_kd.files import write_bytes, write_text
from nas_kd.metrics import in_words as metric_in_words
from nas_kd.spec import StudySpec
from nas_kd.students.decode import join
from nas_kd.study.chances import give_chances
from nas_kd.study.controls import begin_twin, begin_twin_of_the_leader, run_controls
from nas_kd.study.crew import Crew
from nas_kd.study.devices import kind
from nas_kd.study.events import Event, Observe, Planned, Scored, Step
from nas_kd.study.folder import StudyFolder, lock
from nas_kd.study.generation import Ending, run_generation
from nas_kd.study.lease import lease
from nas_kd.study.options import MUCH, RunOptions, command
from nas_kd.study.pool import open_executor
from nas_kd.study.scene import Scene
from nas_kd.study.space import Space, first_samples, resolve
from nas_kd.study.storage import Ledger
from nas_kd.study.teaching import Teaching, expect_file, expect_yours, judged, known
from nas_kd.study.timing import correct, estimate
from nas_kd.teachers.loading import FROM_PYTHON
from nas_kd.training import PROOF


def drive(
    spec: StudySpec, options: RunOptions, observe: Observe, executor: Executor | None = None
) -> None:
    """Run a study to its end, or on from where it stopped; shuts the executor down.

    Raises NasKDError for what the user can mend; whatever ends it, all that is finished is kept.
    """
    folder = StudyFolder(options.folder.resolve())
    with lock(folder) as holder:
        folder.compare(spec)
        both = logged(folder, observe)
        if finished(folder, spec):
            expect_unchanged(spec, options, folder)
            more = f"{command(options)} --trials +{spec.generation}"
            if spec.teacher.startswith(FROM_PYTHON):
                more = f"the same call with trials={spec.trials + spec.generation}"
            both(Step(f"finished  all {spec.trials} trials are done; for more: {more}"))
            return
        executor = executor or open_executor(options.workers, options.job_limit, options.devices)
        crew = Crew(executor, options.workers)
        try:
            run(spec, options, folder, holder, crew, both)
        except StorageInternalError as error:
            raise UnusableStudy(
                str(folder.database),
                f"cannot be read or written ({error.__cause__ or error})",
                "Make room or mend it, then run the same search again; what is finished is kept.",
            ) from error
        finally:
            executor.shutdown(cancel_futures=crew.busy)
            folder.clear()


def run(
    spec: StudySpec,
    options: RunOptions,
    folder: StudyFolder,
    holder: str,
    crew: Crew,
    observe: Observe,
) -> None:
    """Everything between taking the folder and giving it back.

    The spec is kept once nothing in it can turn out to be wrong any more, so that a mistake can
    be mended in the same folder. A teacher of the user's own is asked first; one that is to be
    trained is known well enough beforehand, and trains while the first students do.
    """
    began = time.monotonic()
    data = prepared(spec, options, folder, observe)
    device = kind(options.devices)
    teaching = Teaching(
        spec, folder, crew, data, observe, options.teacher_weights, device, max(1, options.workers)
    )
    if teaching.own:
        teaching.begin()
        crew.drain(lambda: teaching.facts.value is not None)
    budgets = parse_budgets(spec.budget, teaching.parameters())
    space = resolve(spec, budgets, data.input_shape, len(data.classes))
    keep(folder, spec, data)
    if not teaching.own:
        teaching.begin()
    observe(Step(f"fits      {in_words(space)}"))
    objectives = (f"validation {metric_in_words(spec.metric)}", budgets[0].cost)
    ledger = Ledger.create(folder.database, folder.root.name, *objectives)
    with lease(ledger, str(folder.root), holder):
        record(ledger, space, data)
        teaching.facts.when(lambda: ledger.note("teacher", teaching.facts.value))
        signals = teaching.signals
        scene = Scene(spec, folder, ledger, crew, data, space, signals, observe, device)
        estimate(scene, options.workers)
        whole = generations(scene, deadline(began, options.seconds))
        run_controls(scene)
        if whole and ledger.told() == spec.trials:
            ledger.note("finished", spec.trials)


def generations(scene: Scene, too_late: Callable[[], bool]) -> bool:
    """Run one generation after the other, as long as there is time; whether there was for all."""
    spec = scene.spec
    began, before = time.monotonic(), scene.ledger.told()
    scene.observe(Planned(spec.trials, spec.epochs, before))
    twins = Ending(begin_twin_of_the_leader, begin_twin)
    for first in range(0, spec.trials, spec.generation):
        if too_late():
            scene.observe(Step(f"time      is up after {first} of {spec.trials} trials"))
            return False
        end = min(first + spec.generation, spec.trials)
        ending = twins if end == spec.trials else None
        run_generation(scene, first, ending)
        give_chances(scene, end, ending)
        correct(scene, began, before)
    return True


def finished(folder: StudyFolder, spec: StudySpec) -> bool:
    """Whether every trial of the spec is told and its controls are trained."""
    if not Ledger.begun(folder.database):
        return False
    ledger = Ledger.open(folder.database)
    return bool(ledger.facts().get("finished") == spec.trials)


def deadline(began: float, seconds: float | None) -> Callable[[], bool]:
    """Whether no further generation may start."""
    return lambda: seconds is not None and time.monotonic() - began > seconds


def prepared(
    spec: StudySpec, options: RunOptions, folder: StudyFolder, observe: Observe
) -> TransferSet:
    """The data, prepared; on resume they must be what they were. Raises SpecDiffers."""
    data = same_data(spec, options, folder, lambda text: observe(Step(f"data      {text}")))
    observe(Step(
        f"data      {data.name}: {size(data.train):,} for the students, "
        f"{size(data.validation):,} validation, {size(data.test):,} test; "
        f"{shape_in_words(data.input_shape)}, {len(data.classes)} classes"
    ))  # fmt: skip
    if judged(spec.metric, data)[0] >= 1:
        wrong = f"is always right where there are {len(data.classes)} classes"
        raise Unusable(f"metric {spec.metric!r}", wrong, "Leave --metric out: accuracy.")
    expect_room(data, options.large)
    if rare := imbalance(data):
        observe(Step(f"classes   {rare}. {MEND_IMBALANCE}"))
    return data


def same_data(
    spec: StudySpec, options: RunOptions, folder: StudyFolder, tell: Callable[[str], None]
) -> TransferSet:
    """The data, prepared. Raises SpecDiffers if the folder has a study of others."""
    request = spec.request(options.data_root, tell)
    data = prepare(spec.data, source_of(spec.data), request, spec.split_seed, spec.views)
    if folder.spec.exists():
        kept = TransferSet.from_json(folder.data.read_text())
        if kept.key != data.key:
            change = f"data: content {kept.key[:12]} there, {data.key[:12]} now"
            raise SpecDiffers(str(folder.root), (change,))
    return data


def expect_unchanged(spec: StudySpec, options: RunOptions, folder: StudyFolder) -> None:
    """Raise SpecDiffers or UnusableTeacher where a finished study is asked for with other data, of
    a source whose content may change, or another teacher's weights. It needs its own no more."""
    if not source_of(spec.data).fixed:
        try:
            same_data(spec, options, folder, lambda text: None)
        except UnusableData:
            if folder.read_spec().data != spec.data:
                raise
    expect_yours(spec, options.teacher_weights)
    if options.teacher_weights:
        expect_file(known(folder) or {}, str(options.teacher_weights))


def expect_room(data: TransferSet, meant: bool) -> None:
    """Raise Unusable for a study whose arrays and signals take much, unless that is meant."""
    examples = data.examples.open().nbytes
    signals = 4 * data.views.count * size(data.train) * len(data.classes)
    if examples + signals > MUCH and not meant:
        wrong = f"takes {examples / 1e9:.1f} GB of examples and {signals / 1e9:.1f} GB of signals"
        raise Unusable("the study", wrong, "Say --yes if that is meant, or take fewer --views.")


def keep(folder: StudyFolder, spec: StudySpec, data: TransferSet) -> None:
    """Write down what the study is: its data, the examples of the proof, and last its spec."""
    write_text(folder.data, data.to_json())
    inputs = np.array(data.examples.open()[slice(*data.validation)][:PROOF])
    write_bytes(folder.proof, save({"inputs": inputs}))
    write_text(folder.spec, spec.to_toml())


def in_words(space: Space) -> str:
    """What fits, in one line."""
    low, high = space.depth
    kept = f"{' and '.join(space.families)}, {low} to {high} blocks, within {join(space.budgets)}"
    out = "".join(f"; {family} is left out: {why}" for family, why in space.left_out)
    return kept + out


def record(ledger: Ledger, space: Space, data: TransferSet) -> None:
    """Keep what reading the study later needs."""
    chance, examples = judged(space.spec.metric, data)
    facts: dict[str, Any] = {
        "cost": space.budgets[0].cost,
        "budgets": [[budget.cost, budget.bound] for budget in space.budgets],
        "families": list(space.families),
        "fixed": len(first_samples(space)),
        "data": {"name": data.name, "key": data.key, "validation": size(data.validation)},
        "chance": chance,
        "examples": examples,
    }
    known = ledger.facts()
    for key, value in facts.items():
        if known.get(key) != value:
            ledger.note(key, value)


def logged(folder: StudyFolder, observe: Observe) -> Observe:
    """Also write steps and scores to search.log, with the time."""

    def both(event: Event) -> None:
        if isinstance(event, Step | Scored):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            with contextlib.suppress(OSError), folder.log.open("a") as file:
                file.write(f"{now} {os.getpid()} {line(event)}\n")
        observe(event)

    return both


def line(event: Step | Scored) -> str:
    """An event as one line of text."""
    if isinstance(event, Step):
        return event.text
    how = f"T {event.temperature:.1f}, alpha {event.alpha:.2f}"
    if event.continues is not None:
        how += f"; trial {event.continues} gone on"
    score = event.stopped or f"{100 * event.accuracy:.2f}%"
    return (
        f"trial {event.trial:<4}{score}  {event.student.name()}, {event.cost:,} {event.unit}, {how}"
    )
