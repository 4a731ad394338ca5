"""The straight line: data, teacher, signals, generations, controls; resumed where it stopped."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any

import numpy as np
from safetensors.numpy import save

from nas_kd.costs.budgets import WHOLE
from nas_kd.data.signals import Signals
from nas_kd.data.transfer import TransferSet, size
from nas_kd.driver.context import SearchContext, StageContext
from nas_kd.driver.controls import begin_twin, run_controls
from nas_kd.driver.data_stage import expect_unchanged, prepared
from nas_kd.driver.events import Mended, Observe, Planned, Step
from nas_kd.driver.generation import next_generation, run_generation
from nas_kd.driver.log import logged
from nas_kd.driver.options import RunOptions, command, executor_of
from nas_kd.driver.signals_stage import bring_all, expect_layers, teacher_answers
from nas_kd.driver.teacher_folder import Place
from nas_kd.driver.teacher_names import all_trained, describe, shared_budgets, to_be_trained
from nas_kd.driver.teacher_stage import bring_teachers, judged
from nas_kd.driver.timing import correct, estimate
from nas_kd.errors import NasKDError, StudyLocked, UnusableStudy
from nas_kd.files import expect_utf8, network_file_system, replace, write_bytes, write_text
from nas_kd.metrics import METRICS, metric_in_words
from nas_kd.space.first import co_teacher_of, first_samples, never_stopped
from nas_kd.space.resolve import resolve
from nas_kd.space.space import Space
from nas_kd.spec import StudySpec
from nas_kd.spec.teachers import FROM_PYTHON, parts_in
from nas_kd.students.decode import counts, join
from nas_kd.students.family import StudentConfig
from nas_kd.study.checkpoints import forget
from nas_kd.study.database import Ledger
from nas_kd.study.folder import StudyFolder, lock
from nas_kd.study.lease import lease
from nas_kd.study.storage import asked, writing
from nas_kd.training import PROOF
from nas_kd.training.recipe import Recipe
from nas_kd.workers.devices import kind
from nas_kd.workers.job_queue import JobQueue


def drive(
    spec: StudySpec, options: RunOptions, observe: Observe, executor: Executor | None = None
) -> None:
    """Run a study to its end, or on from where it stopped; shuts the executor down.

    Raises NasKDError for what the user can mend; whatever ends it, all that is finished is kept.
    """
    folder = StudyFolder(expect_utf8(options.folder.resolve()))
    for path in (options.data_root.resolve(), *options.teacher_weights):
        expect_utf8(path)
    with lock(folder) as held:
        both = logged(folder, held, observe)
        keep_storage(folder, options)
        folder.compare(spec)
        say_of_file_system(folder, both)
        if finished(folder, spec):
            expect_unchanged(spec, options, folder)
            more = f"{command(spec, options)} --trials +{spec.generation}"
            if any(name.startswith(FROM_PYTHON) for name in parts_in(spec.teacher)):
                more = f"the same call with trials={spec.trials + spec.generation}"
            both(Step(f"finished  all {spec.trials} trials are done; for more: {more}"))
            return
        executor = executor or opened_executor(options, folder, both)
        queue = JobQueue(executor, options.workers, lambda text: both(Mended("again", text)))
        queue.checks.append(lambda: folder.expect_held(held))
        mine = True
        try:
            with writing(folder.database):
                run(spec, options, folder, held.holder, queue, both)
        except StudyLocked:
            mine = False
            raise
        finally:
            executor.shutdown(cancel_futures=queue.busy)
            if mine and folder.is_held(held):
                folder.clear()


def run(
    spec: StudySpec,
    options: RunOptions,
    folder: StudyFolder,
    holder: str,
    queue: JobQueue,
    observe: Observe,
) -> None:
    """Everything between taking the folder and giving it back.

    The spec is kept once nothing in it can turn out to be wrong any more, so that a mistake can
    be mended in the same folder. A teacher of the user's own is loaded before that, for it may be
    the mistake, and a budget may be a share of it.
    """
    began, resumed = time.monotonic(), folder.spec.exists()
    data = prepared(spec, options, folder, observe)
    stage = StageContext(Recipe(spec, data, kind(options.devices)), folder, queue, observe)
    wanted = describe(spec, data, options.teacher_weights, options.trust)
    threads, own = max(1, options.workers), not all_trained(spec)
    teachers = bring_teachers(stage, wanted, resumed, threads) if own else None
    size_of = teachers[0]["parameters"] if teachers else to_be_trained(wanted)
    budgets = shared_budgets(spec, size_of)
    space = resolve(spec, budgets, data.input_shape, len(data.classes))
    recipe = dataclasses.replace(
        stage.recipe,
        co_teacher=co_teacher_of(space),
        teacher_weights=str(Place(folder.teacher).weights),
    )
    stage = dataclasses.replace(stage, recipe=recipe)
    say_who_teaches(stage)
    expect_layers(stage, wanted)
    queue.check()
    fixed = never_stopped(space)[1].stop
    if len(spec.teacher) > 1 and spec.trials <= fixed:
        observe(Step(f"teacher   the first {fixed} trials are fixed, and have {spec.teacher[0]}: "
                     "the others are tried with more --trials"))  # fmt: skip
    keep_spec(folder, spec, data)
    observe(Step(f"fits      {space_in_words(space)}"))
    objectives = (f"validation {metric_in_words(spec.metric)}", budgets[0].cost)

    def away(why: str) -> None:
        observe(Mended("storage", f"{why}: it is waited for, up to a minute"))

    ledger = Ledger.create(folder.database, folder.root.name, *objectives, away)
    expect_families(spec, [record.config for record in ledger.records()])
    with lease(ledger, str(folder.root), holder) as expect_held:
        queue.checks.append(expect_held)
        record_facts(ledger, space, stage.recipe, options)
        if left := spec.trials - ledger.told():
            estimate(stage, space, left, queue.workers)
        teachers = teachers or bring_teachers(stage, wanted, resumed, threads)
        ledger.note("teachers", list(teachers))
        signals = bring_all(stage, wanted)
        record_truth(folder, ledger, stage.recipe, signals)
        context = SearchContext(stage.recipe, folder, queue, observe, ledger, space, signals)
        whole = generations(context, deadline(began, options.seconds))
        run_controls(context)
        if whole and ledger.told() == spec.trials:
            ledger.note("finished", spec.trials)


def opened_executor(options: RunOptions, folder: StudyFolder, observe: Observe) -> Executor:
    """What does the jobs of a study; a new folder is left empty where there is none. Raises
    Unusable."""
    try:
        return executor_of(options, observe)
    except NasKDError:
        folder.clear()
        raise


def keep_storage(folder: StudyFolder, options: RunOptions) -> None:
    """Write down which server has the trials, if one is asked for, once it answers.

    Raises Unusable, and UnusableStudy for a server that cannot be used.
    """
    if options.storage is None:
        return
    try:
        database = asked(options.storage, folder.database, folder.root)
        database.open()
        database.keep(folder.storage)
    except NasKDError:
        folder.clear()
        raise


def say_of_file_system(folder: StudyFolder, observe: Observe) -> None:
    """Say that SQLite is on a network's file system, where its locks may not hold."""
    kind = network_file_system(folder.root)
    if kind and folder.database.server is None:
        where = f"{folder.sqlite} is on a network file system ({kind}), where SQLite may fail"
        observe(
            Step(f"storage   {where}: keep it on a local disk, or say --storage postgresql://...")
        )


def generations(context: SearchContext, too_late: Callable[[], bool]) -> bool:
    """Run one generation after the other, as long as there is time; whether there was for all."""
    spec = context.spec
    began, before = time.monotonic(), context.ledger.told()
    context.observe(Planned(spec.trials, context.recipe.epochs, before))
    for record in context.ledger.records():
        if record.finished:  # one that was told just before a kill, or cancelled by a person
            forget(context.folder, record.number)
    while True:
        generation, numbers = next_generation(context.ledger.records(), spec)
        if not numbers:
            return True
        if too_late():
            context.observe(Step(f"time      is up after {numbers.start} of {spec.trials} trials"))
            return False
        last = numbers.stop == spec.trials
        idle = partial(begin_twin, context) if last else None
        run_generation(context, generation, numbers, idle)
        correct(context, began, before)


def finished(folder: StudyFolder, spec: StudySpec) -> bool:
    """Whether every trial of the spec is told and its controls are trained.

    Raises UnusableStudy for a study whose database was emptied.
    """
    if not folder.database.begun():
        if any(folder.proof.parent.glob("*/config.json")):
            raise lost_trials(folder)
        return False
    ledger = Ledger.open(folder.database)
    done, there = ledger.facts().get("finished", 0), len(ledger.trials())
    students = [path.parent.name for path in folder.proof.parent.glob("*/config.json")]
    if there < max((done, *(int(name) + 1 for name in students if name.isdecimal()))):
        raise lost_trials(folder)
    return bool(done == spec.trials)


def lost_trials(folder: StudyFolder) -> UnusableStudy:
    """The error for a database that has fewer trials than the folder tells of."""
    wrong = "has lost its trials, though students of them are in the folder"
    right = "Bring its trials back, or search in a new folder: --study FOLDER."
    return UnusableStudy(str(folder.database), wrong, right)


def expect_families(spec: StudySpec, students: Iterable[StudentConfig]) -> None:
    """Raise UnusableStudy for students of families that the spec does not name: a family can be
    code, which only the database would name."""
    if strange := {student.family for student in students} - {*spec.family}:
        wrong = f"has students of {', '.join(sorted(strange))}, which its spec does not name"
        right = "Somebody else wrote them; search in a new folder: --study FOLDER."
        raise UnusableStudy("study.db", wrong, right)


def say_who_teaches(stage: StageContext) -> None:
    """Say who teaches, if it is no fixed teacher, and what is trained beside every student."""
    if teaching := stage.spec.teaching:
        stage.observe(Step(f"teacher   no fixed one teaches. {teaching}"))
    if co_teacher := stage.recipe.co_teacher:
        size_of = f"{counts(co_teacher).parameters:,} parameters"
        stage.observe(Step(f"teacher   beside every student: {co_teacher.name()}, {size_of}"))


def deadline(began: float, seconds: float | None) -> Callable[[], bool]:
    """Whether no further generation may start."""
    return lambda: seconds is not None and time.monotonic() - began > seconds


def keep_spec(folder: StudyFolder, spec: StudySpec, data: TransferSet) -> None:
    """Write down what the study is: its data, the examples of the proof, and last its spec."""
    write_text(folder.data, data.to_json())
    inputs = np.array(data.examples.open()[slice(*data.validation)][:PROOF])
    write_bytes(folder.proof, save({"inputs": inputs}))
    write_text(folder.spec, spec.to_toml())


def space_in_words(space: Space) -> str:
    """What fits, in one line."""
    low, high = space.depth
    bits = " or ".join(map(str, space.values("bits")))
    kept = f"{' and '.join(space.families)}, {low} to {high} blocks, within {join(space.budgets)}"
    if space.values("bits") != (WHOLE,):
        kept += f", in {bits} bits"
    out = "".join(f"; {family} is left out: {why}" for family, why in space.left_out)
    return kept + out


def record_facts(ledger: Ledger, space: Space, recipe: Recipe, options: RunOptions) -> None:
    """Keep what reading the study later needs."""
    data = recipe.data
    facts: dict[str, Any] = {
        "spec": space.spec.to_toml(),
        "cost": space.budgets[0].cost,
        "budgets": [[budget.cost, budget.bound] for budget in space.budgets],
        "families": list(space.families),
        "fixed": len(first_samples(space)),
        "epochs": recipe.epochs,
        "rungs": list(recipe.rungs),
        "data_root": str(options.data_root),
        "teaching": space.spec.teaching,
        "layer_terms": list(space.spec.layer_terms),
        "co_teacher": recipe.co_teacher and recipe.co_teacher.to_json(),
        "data": {"name": data.name, "key": data.key, "validation": size(data.validation)},
    }
    known = ledger.facts()
    for key, value in facts.items():
        if known.get(key) != value:
            ledger.note(key, value)


def record_truth(
    folder: StudyFolder, ledger: Ledger, recipe: Recipe, signals: Mapping[str, Signals]
) -> None:
    """Keep what the students' validation answers are compared with: the classes, or the teacher's
    answers; what guessing reaches then, and how many examples the metric is as sure as."""
    metric, data = recipe.spec.metric, recipe.data
    answers_N = teacher_answers(recipe, signals) if METRICS[metric].of_teacher else None
    truth_N = data.labels.open()[slice(*data.validation)] if answers_N is None else answers_N
    replace(folder.truth, lambda file: np.save(file, np.array(truth_N)))
    chance, examples = judged(metric, data, answers_N)
    ledger.note("chance", chance)
    ledger.note("examples", examples)
