"""The documents say what is so."""

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

from nas_kd import FAMILIES, KNOWLEDGE, SCHEMES, SETTINGS, SOURCES, TEACHERS
from nas_kd.cli import app
from nas_kd.costs.budgets import parse_budgets
from nas_kd.data.transfer import TransferSet
from nas_kd.metrics import METRICS
from nas_kd.report.listing import as_markdown
from nas_kd.students.decode import cost, decode
from nas_kd.teachers.jobs import TeacherJob
from nas_kd.teachers.making import make_teacher
from nas_kd.teachers.teacher import Teacher

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
COMMANDS = typer.main.get_command(app)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an example registers is forgotten after the test."""
    for registry in (FAMILIES, KNOWLEDGE, SCHEMES, SETTINGS, SOURCES, TEACHERS):
        monkeypatch.setitem(registry, "placeholder", next(iter(registry.values())))
        for name in ("tiny", "logit-mse", "margin", "pets", "means", "together"):
            monkeypatch.delitem(registry, name, raising=False)


def test_every_command_and_flag_in_the_readme_exists() -> None:
    commands = COMMANDS.commands  # type: ignore[attr-defined]
    lines = [line for block in blocks(README, "sh") for line in block.splitlines()]
    used = [line.split("#")[0].split() for line in lines if line.startswith("nas-kd ")]
    assert used
    for _, command, *words in used:
        known = {option for p in commands[command].params for option in p.opts}
        assert {word for word in words if word.startswith("--")} <= known
    listed = set(re.findall(r"`nas-kd (\w+)", README))
    assert set(commands) <= listed


def test_the_parts_that_contributing_adds_work(registries: None, digits: TransferSet) -> None:
    family, own, loss, layers, scheme, setting, teacher, source, metric = blocks(
        CONTRIBUTING, "python"
    )
    for code in (family, loss, layers, scheme, setting, teacher, source, metric):
        exec(code, {})
    named: dict[str, Any] = {}
    exec(own, named)
    assert named["Net"]((4,), 7)(torch.zeros(2, 3, 8, 8)).shape == (2, 7)
    logits, labels = torch.eye(3)[None], torch.tensor([0, 0, 1])
    assert METRICS.pop("first-class-recall").score(logits, labels).tolist() == [0.5]
    budgets = parse_budgets(["2k"])
    sample = {"family": "tiny", "depth": 1, "width": 1.0, "taper": 1.0}
    config = decode(sample, budgets, (3, 8, 8), 10)
    assert cost(config, budgets[0]) > 1900
    logits = torch.randn(4, 5)
    assert KNOWLEDGE["logit-mse"].loss(logits, logits).tolist() == [0.0] * 4
    features, mine = (torch.randn(4, 6, 3, 3),), (torch.randn(4, 5, 2, 2),)
    term = KNOWLEDGE["means"]
    assert term.loss(features, term.keep(features)).abs().max() < 1e-9
    assert term.loss(mine, term.keep(features)).shape == (4,)
    target = SCHEMES["together"].target
    assert target is not None
    assert target(torch.randn(3, 4, 5)).softmax(-1).sum(-1).allclose(torch.ones(3, 4))
    margins = torch.tensor([0.0, 9.0])[:, None, None]
    losses = KNOWLEDGE["margin"].loss(logits, logits + 1, margin=margins)
    assert losses.tolist() == [[1.0] * 4, [0.0] * 4]
    assert SETTINGS["margin"].inert({"knowledge": "kl", "alpha": 0.5})
    assert SOURCES["pets"].flip
    report = make_teacher(TeacherJob(Teacher("means:4", (1, 8, 8), 10), digits, 1, 0))
    assert report.accuracy
    assert report.accuracy > 0.7
    for name, registry in (("tiny", FAMILIES), ("logit-mse", KNOWLEDGE), ("margin", KNOWLEDGE),
                           ("means", KNOWLEDGE), ("together", SCHEMES),
                           ("margin", SETTINGS), ("pets", SOURCES),
                           ("means", TEACHERS)):  # fmt: skip
        registry.pop(name)  # type: ignore[attr-defined]


def test_the_documents_print_the_loss_convention() -> None:
    text = (ROOT / "docs" / "how-it-works.md").read_text()
    assert "(1 - alpha) * CE(student, label) + alpha * T^2 * KL(" in text
    assert "a = alpha * T^2 / (1 - alpha)" in text


def test_the_page_of_distillation_has_every_term_and_every_scheme() -> None:
    text = (ROOT / "docs" / "distillation.md").read_text()
    commands = re.findall(r"`(nas-kd search [^`]*)`", text)
    for name in KNOWLEDGE:
        assert f"**{name}**: " in text
        assert name == "kl" or any(f"--knowledge {name}" in command for command in commands)
    for name in {*SCHEMES} - {"co_teacher"}:
        assert f"**{name}**: " in text
    for command in commands:
        known = {o for p in COMMANDS.commands["search"].params for o in p.opts}  # type: ignore[attr-defined]
        assert {word for word in command.split() if word.startswith("--")} <= known


def test_the_readme_is_a_front_page() -> None:
    assert len(README.splitlines()) <= 140


def test_the_table_of_settings_is_made_from_the_settings() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    table = "".join(line for line in text.splitlines(keepends=True) if line.startswith("|"))
    again = "write it again: nas-kd settings --format markdown, below the first lines"
    assert table == as_markdown(), again


def test_files_that_the_documents_name_are_there() -> None:
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for name in re.findall(r"\]\(((?!http)[^)#]+)[^)]*\)", path.read_text()):
            assert (path.parent / name).exists(), (path, name)


def test_the_line_in_contributing_is_the_one_that_is_held() -> None:
    from tests.test_architecture import LINE

    text = CONTRIBUTING[CONTRIBUTING.index("errors, registry") :].split("\n\n")[0]
    assert tuple(re.findall(r"\w+", text)) == LINE


def test_the_changelog_names_the_version() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    version = re.search(r'^version = "(.*)"', project, re.MULTILINE)
    assert version
    assert f"## {version[1]}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_examples_of_following_a_search_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    first, second = blocks((ROOT / "docs" / "tracking.md").read_text(), "python")
    for code in (first, second):
        assert len([line for line in code.splitlines() if line]) <= 8
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whatever other libraries deprecate
            exec(code.replace("trials=4", "trials=4, workers=0, epochs=1, teacher_epochs=1,"
                              " depth=[1, 2], teacher_width=8, quiet=True"), {})  # fmt: skip
    runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert len(runs) == 4
    assert all(run.data.params["family"] in ("cnn", "mlp") for run in runs)
    assert list(tmp_path.glob("boards/digits/events*"))
