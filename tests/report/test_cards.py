"""What a study has to say: each card once, drawn alike in a terminal, on the page and in a
notebook."""

import io
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from nas_kd.check.finding import Finding
from nas_kd.check.findings import keep_findings
from nas_kd.intervals import Estimate
from nas_kd.report import verdict as searching
from nas_kd.report.card import Card, shown, state_of
from nas_kd.report.card import html as as_html
from nas_kd.report.cards import budget_use, cards, controls, findings, front, stopped, time, verdict
from nas_kd.report.figures import differences_figure
from nas_kd.report.page import page
from nas_kd.report.summary import place_of
from nas_kd.report.verdict import pairs, verdict_of
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import StudyView
from tests.conftest import Run, record, searched

NAMES = ["verdict", "controls", "front", "budget", "time", "stopped", "mishaps", "check"]


def printed(card: Card) -> str:
    screen = Console(file=io.StringIO(), width=200)
    screen.print(card)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_every_card_has_what_the_terminal_the_page_and_the_notebook_draw(study: StudyView) -> None:
    made, text = cards(study), page(study)
    assert [card.name for card in made] == NAMES
    for card in made:
        heads, rows = shown(card.frame)
        terminal, html = printed(card), as_html(card)
        assert html in text
        assert card.state in ("good", "look here", "bad", "not yet")
        for part in (card.title, card.state, card.subtitle):
            assert part in html.replace("&#x27;", "'")
        assert card.title in terminal
        for cells in rows:
            assert all(cell in html for cell in cells)
            assert all(cell in terminal for cell in cells)
        assert not rows or all(head in terminal for head in heads)


def test_a_number_and_its_interval_are_one_cell(study: StudyView) -> None:
    card = controls(study)
    heads, rows = shown(card.frame)
    assert heads == ["network", "student", "parameters", "times smaller", "accuracy, %"]
    best = study.pick("best")
    assert best.accuracy is not None
    assert rows[1][0] == f"best (trial {best.number})"
    assert rows[1][-1].startswith(f"{100 * best.accuracy:.2f} (")
    assert card.frame["accuracy"].iloc[1] == best.accuracy


def test_a_number_without_an_interval_stands_alone() -> None:
    frame = pd.DataFrame([{"x": 0.5, "x low": None, "x high": None}, {"x": None}])
    assert shown(frame) == (["x, %"], [["50.00"], [""]])
    mixed = pd.DataFrame([{"x": 0.5, "x low": 0.4, "x high": 0.6}, {"x": 0.25}])
    assert shown(mixed)[1] == [["50.00 (40.00 to 60.00)"], ["25.00"]]


def test_lost_is_bad_gained_is_good_and_nothing_found_wants_a_look() -> None:
    assert state_of([1, 0], doubts=False) == "good"
    assert state_of([1, -1], doubts=False) == "bad"
    assert state_of([0, 0], doubts=False) == "look here"
    assert state_of([1], doubts=True) == "look here"
    figure = differences_figure({"a": Estimate(0.1, 0.05, 0.15), "b": None})
    assert figure is not None
    assert figure.data[0].x == pytest.approx((5, 10, 15))
    assert differences_figure({"b": None}) is None


def test_the_verdict_says_how_to_have_it_of_several_seeds(study: StudyView) -> None:
    card = verdict(study)
    assert f"nas-kd confirm {place_of(study)}" in card.subtitle
    (measured,) = card.frame["measured on"]
    assert measured == "one seed, 360 validation examples"


def test_the_front_has_its_students_with_their_intervals(study: StudyView) -> None:
    assert front(study).frame["trial"].tolist() == [str(row.number) for row in study.front]
    assert "Hypervolume" in front(study).subtitle


def test_the_use_of_every_budget_is_shown(tmp_path: Path) -> None:
    view = searched(tmp_path / "study", budget=["2k", "60k macs"], trials=3, family="mlp")
    card = budget_use(view)
    assert card.frame["budget"].tolist() == ["2,000 parameters"] * 2 + ["60,000 macs"] * 2
    best = view.pick("best")
    assert card.frame["share of the budget"].iloc[0] == pytest.approx(
        best.costs["parameters"] / 2000
    )
    assert card.state == "good"


def test_the_time_is_that_of_the_teacher_and_of_the_students(study: StudyView) -> None:
    frame = time(study).frame
    assert frame["trainings"].tolist()[0] == 1
    total = sum(row.seconds or 0 for row in study.rows)
    assert frame["seconds"].iloc[1:].sum() == pytest.approx(total)


def test_trials_that_failed_want_a_look(study: StudyView) -> None:
    assert stopped(study).state == "good"
    failed = record(len(study.rows), state="failed", fault="NaN", rungs=((1, 0.1),))
    card = stopped(replace(study, rows=(*study.rows, failed)))
    assert card.state == "look here"
    assert "1 failed" in card.subtitle


def test_findings_are_those_of_the_last_check(study: StudyView, tmp_path: Path) -> None:
    view = replace(study, folder=StudyFolder(tmp_path))
    assert findings(view).state == "not yet"
    for severity, state in (("doubtful", "look here"), ("wrong", "bad")):
        found = Finding("teacher", "is at chance", severity, "Check it.")  # type: ignore[arg-type]
        keep_findings(view.folder.findings, [found])
        assert findings(view).state == state
        assert findings(view).frame["to do"].tolist() == ["Check it."]
    keep_findings(view.folder.findings, [])
    assert findings(view).state == "good"


def test_a_check_of_a_study_is_kept_for_its_report(tmp_path: Path, run: Run) -> None:
    view = searched(tmp_path / "study", trials=3, family="mlp")
    assert findings(view).state == "not yet"
    run("check", "study")
    card = findings(view)
    assert card.state != "not yet"
    text = run("report", "study", "--print").stdout
    for title in ("Verdict", "The best and its controls", "The front", "Budget use", "Findings"):
        assert title in text
    run("check", "study", "--fix", "width=0.5")
    assert findings(view).subtitle == card.subtitle


def test_the_verdict_of_a_search_is_of_default_students_that_were_named_beforehand(
    study: StudyView,
) -> None:
    found = verdict_of(study)
    named = max(pairs(study), key=lambda pair: pair.taught + pair.alone)
    assert found.distillation is not None
    assert found.distillation.mean == pytest.approx(named.taught - named.alone)
    assert f"the largest {named.family} that fits" in found.sentences[0]
    best = study.pick("best")
    if best.number == study.best_default.number:
        assert found.search is None
    else:
        assert found.search is not None
        gain = (best.accuracy or 0) - (study.best_default.accuracy or 0)
        assert found.search < gain


def test_without_kept_answers_the_two_are_taken_as_independent_and_nothing_is_said_of_the_search(
    study: StudyView, tmp_path: Path
) -> None:
    moved = replace(study, folder=StudyFolder(tmp_path))
    with_answers, without = verdict_of(study), verdict_of(moved)
    assert with_answers.distillation is not None
    assert without.distillation is not None
    assert without.distillation.mean == pytest.approx(with_answers.distillation.mean)
    assert without.search is None
    if study.pick("best").number != study.best_default.number:
        assert "is not known" in without.sentences[1]


def test_a_search_that_found_much_more_than_the_largest_says_at_least_how_much(
    study: StudyView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "bound_of_the_best", lambda *_: 0.021)
    numbers = {row.number for row in study.rows if row.accuracy is not None}
    other = next(n for n in sorted(numbers) if n >= study.facts["fixed"])
    view = replace(study, rows=tuple(
        replace(row, accuracy=1.0) if row.number == other else row for row in study.rows
    ))  # fmt: skip
    assert "gained at least 2.1 points over the largest that fits" in verdict_of(view).sentences[1]
    monkeypatch.setattr(searching, "bound_of_the_best", lambda *_: -0.01)
    assert "No student was found that is surely better" in verdict_of(view).sentences[1]
