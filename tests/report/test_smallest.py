"""The cheapest student that reaches an accuracy."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from nas_kd.cli import app
from nas_kd.errors import InvalidSpec
from nas_kd.intervals import interval
from nas_kd.report.page import page
from nas_kd.report.smallest import answer_in_words, find, rise, target_of
from nas_kd.study.view import StudyView
from tests.conftest import record


def test_it_is_the_first_of_the_front_at_the_target(study: StudyView) -> None:
    for row in study.front:
        answer = find(study, row.accuracy or 0)
        assert answer.reached == row
        assert answer.below is None or (answer.below.accuracy or 0) < (row.accuracy or 0)
        assert answer.below is None or answer.below.costs[study.cost] < row.costs[study.cost]


def test_sure_is_a_standard_error_above(study: StudyView) -> None:
    first = study.front[0]
    target = interval(first.accuracy or 0, study.examples, 1.0)[0]
    assert find(study, target).sure == first
    beyond = find(study, target + 1e-9)
    assert beyond.reached == first
    assert beyond.sure != first


def test_what_nobody_reaches_is_answered_with_a_larger_search(study: StudyView) -> None:
    text = answer_in_words(study, find(study, 1.0))
    assert "No student of digits-2k reaches 100.00%" in text
    assert text.endswith(f"nas-kd search {study.folder.spec} --budget '4000'")


def test_the_next_search_lies_between_what_is_enough_and_what_is_not(study: StudyView) -> None:
    row = study.front[-1]
    answer = find(study, row.accuracy or 0)
    assert answer.below is not None
    text = answer_in_words(study, answer)
    bound = int(text.split("--budget '")[1].split("'")[0])
    assert answer.below.costs[study.cost] < bound < row.costs[study.cost]
    assert f"trial {row.number} (" in text


def test_a_share_of_the_teacher_is_of_its_accuracy(study: StudyView) -> None:
    teacher = study.teachers[0]["accuracy"]
    assert target_of(study, None, "90%") == pytest.approx(0.9 * teacher)
    assert target_of(study, "0.5", None) == 0.5
    assert target_of(study, "98.5%", None) == pytest.approx(0.985)


@pytest.mark.parametrize(
    ("accuracy", "of_teacher"), [(None, None), ("90%", "90%"), ("high", None), ("120%", None)]
)
def test_an_unclear_target_is_an_error(
    study: StudyView, accuracy: str | None, of_teacher: str | None
) -> None:
    with pytest.raises(InvalidSpec, match="--accuracy"):
        target_of(study, accuracy, of_teacher)


def test_the_report_says_what_more_cost_bought_within_what_was_tried(study: StudyView) -> None:
    rows = tuple(
        record(number, state="complete", accuracy=accuracy, costs={"parameters": cost})
        for number, (cost, accuracy) in enumerate([(100, 0.2), (500, 0.7), (1000, 0.8)])
    )
    assert rise(replace(study, rows=rows)) == (
        "From 500 to 1,000 parameters the front rises by 10.0 points: 10.0 with each doubling."
    )
    assert rise(study) in page(study)


@pytest.mark.parametrize(("cheaper", "said"), [(983, False), (400, True)])
def test_a_front_whose_costs_are_nearly_the_same_tells_nothing_of_more_cost(
    cheaper: int, said: bool, study: StudyView
) -> None:
    ends = [(cheaper, 0.7), (989, 0.9)]
    rows = tuple(
        record(number, state="complete", accuracy=accuracy, costs={"parameters": cost})
        for number, (cost, accuracy) in enumerate(ends)
    )
    assert bool(rise(replace(study, rows=rows))) == said


def test_the_next_search_finds_its_files_where_this_one_did(study: StudyView) -> None:
    teacher = {**study.teachers[0], "weights": "/models/it's.pt"}
    away = replace(study, facts={**study.facts, "data_root": "/my data", "teachers": [teacher]})
    text = answer_in_words(away, find(away, 0.999))
    assert "--data-root '/my data'" in text
    assert """--teacher-weights '/models/it'"'"'s.pt'""" in text
    assert "--data-root" not in answer_in_words(study, find(study, 0.999))


def test_the_command_prints_it(study: StudyView) -> None:
    accuracy = str(study.front[0].accuracy)
    done = CliRunner().invoke(app, ["smallest", str(study.folder.root), "--accuracy", accuracy])
    assert done.exit_code == 0
    assert "is the cheapest at" in done.stdout
    assert f"nas-kd search {study.folder.spec} --budget" in done.stdout.replace("\n", "")
