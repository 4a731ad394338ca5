"""The report as data, as figures and as a page."""

import io
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from nas_kd.costs.budgets import parse_budgets
from nas_kd.driver.events import Ended, Planned, Scored, Started, Step
from nas_kd.errors import UnusableStudy
from nas_kd.intervals import not_told_apart
from nas_kd.knowledge.objective import additive_weight
from nas_kd.report.card import times
from nas_kd.report.cards import controls
from nas_kd.report.figures import history_figure, log_axis, pareto_data, pareto_figure, rungs_figure
from nas_kd.report.fitting import fitting_table
from nas_kd.report.fitting_figure import fitting_figure
from nas_kd.report.page import loss_of, page
from nas_kd.report.softened import of_example, softened, softened_figure
from nas_kd.report.summary import student_in_words, summarize, worse_teacher
from nas_kd.report.terminal import Display, display, trials_table
from nas_kd.space.resolve import resolve
from nas_kd.study.folder import StudyFolder
from nas_kd.study.record import State
from nas_kd.study.view import StudyView, read_study
from tests.conftest import record, searched, tiny


@pytest.fixture(scope="module")
def stopping(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> StudyView:
    """A study in which trials were stopped."""
    folder = tmp_path_factory.mktemp("rungs") / "study"
    return searched(folder, rungs=[1], trials=12, generation=12, epochs=3)


def test_the_rungs_figure_has_every_trial_up_to_where_it_was_stopped(stopping: StudyView) -> None:
    stopped, complete = rungs_figure(stopping).data
    assert stopped.name.startswith("stopped (")
    assert [x for x in stopped.x if x is not None] == [1] * stopped.x.count(None)
    assert [x for x in complete.x if x is not None] == [1, 3] * complete.x.count(None)
    assert "stopped at epoch 1" in stopped.hovertext[0]
    assert stopped.x.count(None) + complete.x.count(None) == 12


def test_the_page_says_what_stopping_saved(stopping: StudyView, study: StudyView) -> None:
    text = page(stopping)
    share = sum(row.rungs[-1][0] for row in stopping.rows) / (3 * len(stopping.rows))
    assert f"{share:.0%} of all epochs were trained" in text
    assert "There are no rungs" in page(study)


def test_the_teachers_stored_answers_are_softened_from_the_least_sure_to_the_surest(
    study: StudyView,
) -> None:
    examples = softened(study)
    assert len(examples) == 6
    (place,) = study.folder.root.glob("signals/*")
    stored_NC = np.load(place / "logits.npy")[0].astype(float)
    shares_NC = torch.from_numpy(stored_NC).softmax(-1).numpy()
    sure = [max(one.shares(1.0)) for one in examples]
    assert sure == sorted(sure)
    assert (sure[0], sure[-1]) == pytest.approx((shares_NC.max(1).min(), shares_NC.max()))
    figure = softened_figure(examples)
    (slider,) = figure.layout.sliders
    for step in slider.steps:
        for one, bars in zip(examples, step.args[0]["y"], strict=True):
            assert any(np.allclose(one.logits_C, row) for row in stored_NC)
            expected = torch.from_numpy(one.logits_C / float(step.label)).softmax(-1)
            assert bars == pytest.approx(expected.tolist())
    assert [step.label for step in slider.steps] == ["1", "2", "4", "8", "12", "20"]
    assert "What the teacher says, softened" in page(study)


def test_without_the_answers_or_the_data_nothing_is_softened(
    study: StudyView, tmp_path: Path
) -> None:
    folder = StudyFolder(Path(shutil.copytree(study.folder.root, tmp_path / "study")))
    shutil.rmtree(folder.root / "signals")
    assert softened(replace(study, folder=folder)) == ()
    assert "softened" not in page(read_study(folder))


def test_of_many_classes_an_examples_likeliest_are_shown() -> None:
    logits_C = np.linspace(0, 5, 40)[::-1].copy()
    one = of_example(tuple(map(str, range(40))), logits_C, 3, np.zeros((3, 4, 4), np.float32))
    assert one.classes == tuple(map(str, range(12)))
    assert sum(one.shares(1.0)) < 1
    assert one.picture_HW3 is not None
    assert one.picture_HW3.shape == (4, 4, 3)


def test_default_students_are_never_stopped(stopping: StudyView) -> None:
    assert all(row.state == "complete" for row in stopping.rows[:4])


def printed(thing: object, width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_closing_table_has_the_teacher_the_best_its_twin_and_the_largest(
    study: StudyView,
) -> None:
    summary = summarize(study)
    names = [line.name for line in summary.lines]
    assert names == [
        "teacher", f"best (trial {summary.best.number})", "its twin, alone",
        "largest cnn", "largest cnn, alone", "largest mlp", "largest mlp, alone",
    ]  # fmt: skip
    text = printed(controls(study))
    assert f"{summary.best.costs[study.cost]:,}" in text
    best, twin = summary.lines[1], summary.lines[2]
    assert best.parameters == twin.parameters
    assert best.smaller == pytest.approx(study.teachers[0]["parameters"] / best.parameters)


def test_students_that_are_not_told_apart_are_marked_beside_what_else_is_said_of_them(
    study: StudyView,
) -> None:
    rows = tuple(replace(row, duplicate_of=0, accuracy=0.9) for row in study.rows[:4])
    view = replace(study, rows=rows, facts={**study.facts, "examples": 20})
    others = len(not_told_apart(view.points, 20)) - 1
    assert others == 3
    assert page(view).count("same as trial 0; not told apart from the best") == others


def test_if_the_best_had_no_teacher_the_best_distilled_student_and_its_twin_are_shown(
    tmp_path: Path,
) -> None:
    view = searched(tmp_path / "study", trials=4, family="mlp", batch=16)
    summary = summarize(view)
    names = [line.name for line in summary.lines]
    if not view.pick("best").taught:
        assert names[2].startswith("best distilled (trial ")
    assert "its twin, alone" in names


def test_a_teacher_that_is_worse_than_a_student_alone_is_pointed_out(study: StudyView) -> None:
    facts = {**study.facts, "teachers": [{**study.teachers[0], "accuracy": 0.2}]}
    sentence = summarize(replace(study, facts=facts)).sentence
    assert "The teacher (20.0%) is worse than a student alone" in sentence
    assert "--fix teacher_epochs=N" in sentence
    own = {"target": "mymodels:resnet"}
    assert "--teacher-size" in worse_teacher(own, 0.382, 0.677, 1000)
    assert worse_teacher(own, 0.382, 0.39, 1000) == ""


def test_both_forms_of_alpha_are_printed(study: StudyView) -> None:
    best = study.pick("best")
    alpha, temperature = (float(best.settings[name]) for name in ("alpha", "temperature"))
    expected = f"additive form a = {additive_weight(alpha, temperature):.2f}"
    assert expected in student_in_words(best)


def test_the_pareto_figure_shows_every_completed_trial_once(study: StudyView) -> None:
    data = pareto_data(study)
    shown = [row.number for rows in data.families.values() for row in rows]
    assert sorted(shown) == [row.number for row in study.rows if row.accuracy is not None]
    assert data.lines[0][0] == "teacher"
    figure = pareto_figure(data)
    assert figure.layout.xaxis.type == "log"
    lines = {f"{name} {100 * accuracy:.1f}" for name, accuracy in data.lines}
    assert {trace.name for trace in figure.data} == {"cnn", "mlp", "front"} | lines
    assert "learning rate" in figure.data[0].hovertext[0]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1_900, 21_000, ["2k", "5k", "10k", "20k"]),
        (90, 1_100, ["100", "200", "500", "1k"]),
        (0.4e6, 3e6, ["500k", "1M", "2M"]),
        (0.4, 9, ["0.5", "1", "2", "5"]),
    ],
)
def test_the_ticks_of_a_logarithmic_axis_are_numbers_that_people_write(
    low: float, high: float, said: list[str]
) -> None:
    assert log_axis(low, high)["ticktext"] == said


def test_a_network_that_is_larger_than_the_teacher_is_no_zero_times_smaller() -> None:
    assert [times(x) for x in (20.43, 1.0, 0.049, 0.0004)] == ["20.4", "1.0", "0.049", "0.0004"]


def test_every_student_with_rungs_is_in_the_figure_of_rungs(study: StudyView) -> None:
    ends: tuple[tuple[State, str | None], ...] = (("stopped", None), ("failed", "NaN"))
    others = tuple(
        record(len(study.rows) + n, state=state, fault=fault, rungs=((1, 0.1),))
        for n, (state, fault) in enumerate(ends)
    )
    figure = rungs_figure(replace(study, rows=(*study.rows, *others)))
    counts = {name: int(count[:-1]) for name, count in (t.name.split(" (") for t in figure.data)}
    assert counts["failed"] == 1
    assert sum(counts.values()) == sum(bool(row.rungs) for row in (*study.rows, *others))
    assert not any(trace.name.startswith("failed") for trace in rungs_figure(study).data)


def test_the_history_never_forgets_the_best(study: StudyView) -> None:
    best = history_figure(study).data[1].y
    assert list(best) == sorted(best)


class Page(HTMLParser):
    """Collects what a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        facts = dict(attributes)
        if tag in ("script", "img", "link") and (source := facts.get("src") or facts.get("href")):
            self.loads.append(source)


def test_the_page_stands_alone_and_says_what_was_found(study: StudyView) -> None:
    text = page(study)
    parser = Page()
    parser.feed(text)
    assert parser.loads == []
    for sentence in summarize(study).sentences:
        assert sentence in text
    assert "T^2 * KL" in text
    for row in study.rows:
        assert row.config.label() in text


def test_the_loss_is_that_of_the_terms_that_were_searched() -> None:
    assert "alpha * T^2 * KL(softmax(teacher / T) || softmax(student / T)), for" in loss_of(["kl"])
    assert "alpha * weight * hinge(student, teacher), for" in loss_of(["hinge"])
    assert "alpha * (T^2 * KL(" in loss_of(["kl", "hinge"])


def test_the_trials_table_marks_the_front(study: StudyView) -> None:
    text = printed(trials_table(study))
    for row in study.front:
        assert f"{row.number} *" in text


def test_what_fits_is_a_table_with_a_line_for_what_is_left_out() -> None:
    spec = tiny(budget="1k")
    space = resolve(spec, parse_budgets(spec.budget), (3, 32, 32), 10)
    text = printed(fitting_table(space))
    assert "left out" in text
    assert "cnn" in text
    assert "parameters, 9" in text


def test_the_picture_of_what_fits_has_every_family_and_budget() -> None:
    spec = tiny(budget=["5k", "200k macs"])
    space = resolve(spec, parse_budgets(spec.budget), (1, 28, 28), 10)
    figure = fitting_figure(space)
    assert [trace.name for trace in figure.data] == ["cnn", "mlp", "5,000 parameters",
                                                     "200,000 macs"]  # fmt: skip
    for trace in figure.data[:2]:
        assert max(trace.x) <= 5_000
        assert max(trace.y) <= 200_000


def test_a_display_without_a_terminal_prints_a_line_an_event(tmp_path: object) -> None:
    console = Console(file=io.StringIO(), width=100)
    with display(console) as observe:
        observe(Planned(4, 2, 0))
        observe(Step("data      [digits]"))
        observe(Scored(record(0), 0.5, "parameters"))
        observe(Scored(record(1), 0.1, "parameters", "stopped at epoch 1"))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "data      [digits]"
    assert "50.00%" in lines[1]
    assert "3-4" in lines[1]
    assert "stopped at epoch 1" in lines[2]


def test_the_live_display_shows_trial_epoch_front_and_time_left(tmp_path: object) -> None:
    assert isinstance(tmp_path, Path)
    progress = tmp_path / "progress"
    progress.write_bytes(b"...")
    state = Display()
    state.take(Planned(8, 5, 1))
    state.take(Started("trial 3", 5, progress, planned=True))
    state.take(Started("trial 4", 5, tmp_path / "nothing", planned=True))
    assert "estimating" in printed(state)
    state.take(Scored(record(2), 0.5, "parameters"))
    text = printed(state)
    for part in ("trial 2/8", "trial 3", "epoch 3/5", "front:", "50.0%", "left"):
        assert part in text
    state.take(Planned(5, 5, 1, "training"))
    assert "training 1/5" in printed(state)
    state.take(Planned(8, 5, 1))
    state.take(Scored(record(2), 0.5, "parameters"))
    state.take(Ended("trial 3"))
    assert "epoch 3/5" not in printed(state)
    for trial in range(3, 9):
        state.take(Scored(record(trial), 0.5, "parameters"))
    assert "finishing" in printed(state)


def test_picking_a_trial_that_is_not_there_says_what_to_say(study: StudyView) -> None:
    for wrong in ("bst", "99", "-1"):
        with pytest.raises(UnusableStudy, match="best, knee or a number below 8"):
            study.pick(wrong)
    assert study.pick("knee") in study.front
    assert study.pick("0").number == 0
