"""What the README and the studies say is what their kept results say."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from nas_kd.confirm.confirmation import Confirmation, read_confirmation
from nas_kd.crossed import LUCK
from nas_kd.report.card import shown
from nas_kd.report.confirmed import confirmed_row
from nas_kd.spec import StudySpec

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "studies"))
from tables import arm_rows, difference_rows, interval  # noqa: E402

STUDIES = ("glyphs-20k", "mnist-10k", "cifar10-20k")


def plain(text: str) -> str:
    """A text with single spaces."""
    return " ".join(text.split())


def confirmation(study: str) -> Confirmation:
    """The kept confirm of a study."""
    found = read_confirmation(ROOT / "studies" / study / "confirm.json")
    assert found is not None
    return found


def kept_lines(study: str) -> set[str]:
    """Every line of the tables of a kept study, and its teacher's."""
    search = json.loads((ROOT / "studies" / study / "search.json").read_text())
    found = confirmation(study)
    controls = pd.DataFrame(search["controls"])
    teacher = controls.iloc[:1][["network", "student", "parameters"]].assign(
        **{found.metric_name: found.teachers[0]}
    )
    confirmed = pd.DataFrame([confirmed_row(found, one) for one in found.students])
    rows = [*shown(controls)[1], *shown(confirmed)[1]]
    (line,) = teacher.itertuples(index=False)
    rows.append([line[0], line[1], f"{line[2]:,}", f"{100 * line[3]:.2f}"])
    return {plain(" ".join(row)) for row in rows}


def table_lines(text: str) -> list[str]:
    """The lines of results in a document."""
    starts = ("  teacher ", "  best ", "  its twin", "  largest ", "  baseline")
    return [plain(line) for line in text.splitlines() if line.startswith(starts)]


@pytest.mark.parametrize("study", STUDIES)
def test_a_studys_page_has_the_numbers_of_its_results(study: str) -> None:
    text = (ROOT / "studies" / study / "README.md").read_text()
    lines = table_lines(text)
    assert lines
    assert set(lines) <= kept_lines(study)
    for sentence in confirmation(study).sentences[:1]:
        numbers = sentence.split("(")[-1].split(")")[0]
        assert plain(numbers) in plain(text)
    StudySpec.read(ROOT / "studies" / study / "spec.toml")


def test_the_readme_has_the_numbers_of_the_first_search_and_its_confirm() -> None:
    text = (ROOT / "README.md").read_text()
    lines = table_lines(text)
    assert len(lines) == 8
    assert set(lines) <= kept_lines("glyphs-20k")
    search = json.loads((ROOT / "studies" / "glyphs-20k" / "search.json").read_text())
    for sentence in (*search["sentences"], confirmation("glyphs-20k").sentences[0]):
        assert plain(sentence) in plain(text)
    for student in search["front"]:
        if student["cost"] in (11918, 6188):
            said = f"{100 * student['accuracy']:.1f}% with {student['cost']:,}"
            assert said in plain(text)
    mnist = confirmation("mnist-10k").distillation
    assert mnist is not None
    mean, low, high = (100 * x for x in (mnist.mean, mnist.low, mnist.high))
    assert f"{mean:+.2f} points, {low:+.2f} to {high:+.2f}" in plain(text)


def test_the_study_of_the_verdict_has_the_numbers_of_its_result() -> None:
    place = ROOT / "studies" / "verdict"
    text = plain((place / "README.md").read_text())
    found = json.loads((place / "result.json").read_text())
    assert max(v for k, v in found["false_gained"].items() if k != "before") <= 0.06
    assert 0.935 <= found["holds_the_truth"]["confirm"] <= 0.965
    assert min(found["found"].values()) >= 0.8
    shares = [*found["false_gained"].values(), *found["found"].values()]
    for share in shares:
        near = {f"{100 * share + step:.1f}%" for step in (-0.04, 0, 0.04)}
        assert any(number in text for number in near), share
    luck = json.loads((place / "luck.json").read_text())
    assert f"{luck['pooled']:.4f}" in text
    assert luck["pooled"] <= LUCK <= 1.2 * luck["pooled"]


@pytest.mark.parametrize(
    "study", ["transfer-set", "teachers", "model-compression", "knowledge", "schemes", "quantised"]
)
def test_a_study_of_arms_has_the_tables_of_its_result(study: str) -> None:
    place = ROOT / "studies" / study
    results = json.loads((place / "result.json").read_text())
    text = (place / "README.md").read_text()
    parts = [found for found in results.values() if isinstance(found, dict) and "arms" in found]
    assert parts
    for found in parts:
        for row in (*arm_rows(found), *difference_rows(found)):
            assert row in text, row


def test_the_page_on_distillation_has_the_differences_that_were_measured() -> None:
    text = (ROOT / "docs" / "distillation.md").read_text()
    for study, part in (("knowledge", "terms"), ("schemes", "cifar")):
        found = json.loads((ROOT / "studies" / study / "result.json").read_text())[part]
        for pair, difference in found["differences"].items():
            one, other = pair.split(" minus ")
            if pair == "kl minus alone":  # the page has it the other way round
                one, difference = other, [-difference[0], -difference[2], -difference[1]]
            assert f"| {one} | {interval(difference, '+')} |" in text, pair


PHASES = ("teacher", "signals", "propose", "rung", "tell", "export")


@pytest.mark.parametrize("runs", ["sqlite-processes", "postgresql-processes", "sqlite-dask"])
def test_the_study_of_faults_has_the_table_of_its_results(runs: str) -> None:
    place = ROOT / "studies" / "faults"
    found = json.loads((place / f"result-{runs}.json").read_text())
    assert found["rounds"] == len(found["each"]) == sum(found["by phase"].values())
    struck = [f"{found['struck'][phase]} of {found['by phase'][phase]}" for phase in PHASES]
    bad = str(len(found["not equal, or a process left"]))
    cells = (found["storage"], found["workers"], str(found["rounds"]), *struck, bad)
    assert f"| {' | '.join(cells)} |" in (place / "README.md").read_text()


@pytest.mark.parametrize("end", [1_200, 5_200, 6_000, 10_000])
def test_the_study_of_scale_has_what_its_last_run_took(end: int) -> None:
    place = ROOT / "studies" / "scale"
    series = pd.DataFrame(json.loads((place / "result-sqlite.json").read_text())["series"])
    mean = series[(series.trials > end - 400) & (series.trials <= end)].mean()
    spent = mean.sampler, mean.propose - mean.sampler, mean.tell, mean.propose + mean.tell
    line = f"| {end:,} | " + " | ".join(f"{one:.1f}" for one in spent)
    assert line in (place / "README.md").read_text()


def test_the_study_of_clusters_has_what_its_time_was_spent_on() -> None:
    place = ROOT / "studies" / "clusters"
    time, text = json.loads((place / "result.json").read_text())["time"], place / "README.md"
    one, two = (pd.DataFrame(time["spent"][workers]).mean() for workers in "12")
    whole = [sum(time[workers]) / len(time[workers]) for workers in "12"]
    spent = [*zip(one, two, strict=True), (whole[0] - one.sum(), whole[1] - two.sum())]
    for first, second in spent:
        line = f" | {first:.0f} | {second:.0f} | {first / second:.1f} |\n"
        assert line in text.read_text()
    assert f" | **{whole[0]:.0f}** | **{whole[1]:.0f}** | **{whole[0] / whole[1]:.2f}** |" in (
        text.read_text()
    )
    assert "{} and {} times as fast".format(*time["times faster"]) in text.read_text()


def test_the_study_of_scale_has_the_fronts_it_found() -> None:
    place = ROOT / "studies" / "scale"
    found = pd.DataFrame(json.loads((place / "result-learned.json").read_text())["rows"])
    for learned, name in ((4_000, "all 4,000"), (2_000, "the last 2,000")):
        rows = found[found["learned from"] == learned]
        worth, spent = (
            " | ".join(f"{one:.4f}" for one in rows.worth),
            ", ".join(map(str, rows.ms)),
        )
        assert f"| {name} | {worth} | {spent} |" in (place / "README.md").read_text()
