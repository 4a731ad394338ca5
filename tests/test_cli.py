"""The commands, as a user types them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas_kd.cli.flags import assignments, more_trials, resolve, seconds, value
from nas_kd.errors import InvalidSpec
from nas_kd.spec import StudySpec
from nas_kd.study.view import StudyView
from tests.conftest import Run

FLAGS = [
    "--budget", "2k", "--data", "digits", "--epochs", "2", "--fix", "teacher_epochs=3", "--fix",
    "teacher_width=8", "--fix", "generation=4", "--range", "depth=1:3",
]  # fmt: skip


def test_a_command_is_a_program_that_runs_no_module_of_the_working_folder(tmp_path: Path) -> None:
    for name in ("torch", "sqlite3", "numpy", "safetensors", "bottleneck", "numexpr", "numba"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('run from the working folder')")
    program = [sys.executable, "-P", "-c", "from nas_kd.cli import main; main()"]
    package = {"PYTHONPATH": str(Path(__file__).parents[1])}
    arguments = ["search", *FLAGS, "--trials", "4", "--workers", "1"]
    done = subprocess.run(
        [*program, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False,
        env=os.environ | package,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "Next:" in done.stdout
    for command in (["trials"], ["report"], ["smallest", "--accuracy", "1%"]):
        arguments = [command[0], "runs/digits-2k", *command[1:]]
        done = subprocess.run(
            [*program, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False,
            env=os.environ | package,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")


def test_a_search_shows_steps_table_verdict_and_next_commands(run: Run) -> None:
    done = run("search", *FLAGS, "--trials", "4", "--workers", "0")
    assert done.returncode == 0, done.stderr
    order = ["data ", "fits ", "teacher ", "trial 0", "best (trial", "largest mlp", "Best:",
             "nas-kd report runs/digits-2k", "nas-kd export"]  # fmt: skip
    places = [done.stdout.index(part) for part in order]
    assert places == sorted(places)
    assert "\x1b" not in done.stdout
    assert "1 workers share" not in done.stderr

    again = run("search", *FLAGS, "--trials", "4")
    loud = run("search", *FLAGS, "--trials", "4", "--study", "loud", "--verbose", "--workers", "0")
    assert "job       trial 0 began" in loud.stdout
    assert "all 4 trials are done" in again.stdout
    more = run("search", "--study", "runs/digits-2k", "--trials", "+4", "--workers", "0")
    assert more.returncode == 0, more.stderr
    assert "trial 7" in more.stdout
    other = run("search", *FLAGS, "--seed", "5")
    assert other.returncode == 2
    assert "seed: 0 there, 5 asked" in other.stderr


def test_a_dry_run_prints_the_whole_spec_and_trains_nothing(run: Run, tmp_path: Path) -> None:
    done = run("search", *FLAGS, "--fix", "width=1", "--dry-run")
    assert done.returncode == 0
    assert 'budget = ["2k"]' in done.stdout
    assert "width = 1" in done.stdout
    assert "depth = [1, 3]" in done.stdout
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "spec.toml").write_text(done.stdout)
    again = run("search", "spec.toml", "--dry-run")
    assert again.stdout == done.stdout


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["search"], "budget: is needed"),
        (["search", "--budget", "abc"], "Write 20k"),
        (["search", "--budget", "10", "--data", "digits"], "The smallest of each family"),
        (["search", "--budget", "2k", "--data", "digts"], "Did you mean 'digits'"),
        (["search", "--budget", "2k", "--fix", "width"], "--fix NAME=VALUE"),
        (["search", "--budget", "2k", "--fix", "widht=1"], "Did you mean 'width'"),
        (["search", "--budget", "2k", "--trials", "+3"], "needs a study to add to"),
        (["search", "--budget", "2k", "--trials", "many"], "say a number"),
        (["search", "--budget", "2k", "--time", "soon"], "--time: say a time"),
        (["search", "nothing.toml"], "there is no such file"),
        (["search", "--budget", "2k", "--data", "digits", "--teacher", "x"], "module:function"),
        (["trials", "nowhere"], "holds no study"),
        (["report", "nowhere"], "holds no study"),
        (["export", "nowhere"], "holds no study"),
        (["dashboard", "nowhere"], "holds no study"),
        (["evaluate", "nowhere"], "nas-kd export"),
        (["space", "--budget", "2k", "--family", "mpl"], "Did you mean 'mlp'"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(
    run: Run, arguments: list[str], part: str
) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bug_is_exit_code_1_with_its_traceback_in_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise ZeroDivisionError('planted')\n")
    done = run("search", "--budget", "2k", "--fix", 'plugins=["broken"]')
    assert done.returncode == 1
    assert "bug: ZeroDivisionError: planted" in done.stderr
    file = Path(done.stderr.split()[-1])
    assert "planted" in file.read_text()
    file.unlink()


def test_the_commands_work_on_a_finished_study(run: Run, study: StudyView, tmp_path: Path) -> None:
    folder = str(study.folder.root)
    rows = json.loads(run("trials", folder, "--format", "json").stdout)
    assert len(rows) == 8
    assert run("trials", folder, "--format", "csv").stdout.startswith("number,")
    assert " * " in run("trials", folder).stdout
    report = Path(run("report", folder).stdout.strip())
    assert report.read_text().startswith("<!doctype html>")
    target = str(tmp_path / "small")
    assert "nas-kd evaluate" in run("export", folder, "--trial", "knee", "--to", target).stdout
    assert "360 examples, digits test" in run("evaluate", target).stdout


def test_what_fits_is_shown_in_a_table(run: Run) -> None:
    done = run("space", "--budget", "2k", "--budget", "60k macs", "--data", "digits")
    assert done.returncode == 0
    assert "2,000 parameters and 60,000 macs" in done.stdout
    assert "bound by" in done.stdout
    done = run("space", "--budget", "2k", "--data", "digits", "--picture", "fits.html")
    assert done.returncode == 0
    assert "plotly" in Path("fits.html").read_text()


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").stdout.startswith("nas-kd 0.")


@pytest.mark.parametrize(
    "command",
    ["search", "check", "space", "smallest", "trials", "report", "dashboard", "export", "evaluate"],
)
def test_every_command_has_a_sentence_and_an_example(run: Run, command: str) -> None:
    text = run(command, "--help").stdout
    assert f"Example: nas-kd {command}" in text


def test_flags_are_read_as_numbers_pairs_and_words() -> None:
    texts = ["3", "0.5", "2:8", "[1, 2]", "cnn", "0.1:0.9", "a:b"]
    assert [value(text) for text in texts] == [3, 0.5, [2, 8], [1, 2], "cnn", [0.1, 0.9], "a:b"]
    assert [value(text) for text in ("1e-3:1e-1", ".1:.5", "-1:2")] == [
        [1e-3, 0.1],
        [0.1, 0.5],
        [-1, 2],
    ]
    assert assignments("--fix", ["learning-rate=0.1"]) == {"learning_rate": 0.1}
    assert (more_trials("8", None), more_trials("+8", 4)) == (8, 12)
    assert [seconds("--time", text) for text in ("90", "90s", "10m", "2h")] == [90, 90, 600, 7200]
    with pytest.raises(InvalidSpec, match="needs a study to add to"):
        resolve(None, {"budget": "20k"}, "+8", Path("nowhere"))
    for wrong in ("", "-3m", "m", "x"):
        with pytest.raises(InvalidSpec):
            seconds("--time", wrong)


def test_what_is_fixed_twice_is_an_error() -> None:
    with pytest.raises(InvalidSpec, match=r"--fix depth: is said twice; say all of it at once"):
        assignments("--fix", ["depth=1", "width=1", "depth=3"])


def test_settings_lists_every_setting_with_its_default_range_and_meaning(run: Run) -> None:
    done = run("settings")
    assert done.returncode == 0
    for name in StudySpec.model_fields:
        assert f"  {name} " in done.stdout
    plain = " ".join(done.stdout.split())
    assert "temperature [1.0, 20.0] 0.1 to 1000, or a pair T of the soft term." in plain
    assert "metric" in plain
    assert "accuracy, balanced-accuracy, macro-f1" in plain


def test_check_takes_what_decides_a_search(run: Run, study: StudyView) -> None:
    done = run("check", "--budget", "2k", "--data", "digits", "--trials", "7", "--epochs", "3")
    assert "for 7 trials of 3 epochs" in done.stdout
    done = run("check", str(study.folder.root), "--trials", "+4")
    assert "for 12 trials of 2 epochs" in done.stdout


def test_check_prints_what_it_looked_at_and_ends_with_1_if_something_is_wrong(
    run: Run, study: StudyView
) -> None:
    done = run("check", "--budget", "2k", "--data", "digits")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Nothing is wrong." in done.stdout
    done = run("check", "--budget", "2k", "--data", "digits", "--teacher",
               "tests.teachers.own:guessing")  # fmt: skip
    assert done.returncode == 1
    assert "is at chance" in done.stdout
    done = run("check", str(study.folder.root), "--budget", "3k")
    assert "8x8x1, 10 classes" in done.stdout
    assert "within 3,000 parameters" in done.stdout
    done = run("check", "--budget", "20", "--data", "digits")
    assert done.returncode == 2
    assert "The smallest of each family" in done.stderr


def test_a_working_folder_that_was_removed_is_one_message(tmp_path: Path) -> None:
    program = "import os; os.rmdir(os.getcwd()); from nas_kd.cli import main; main()"
    root = str(Path(__file__).parents[1])
    for arguments in (["--version"], ["trials", "runs/x"]):
        (tmp_path / "gone").mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path / "gone", check=False,
            capture_output=True, text=True, env=os.environ | {"PYTHONPATH": root},
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr == (
            "error: the working folder was removed. Go to one that is there: cd\n"
        )


def test_a_spec_of_two_thousand_brackets_is_no_bug(run: Run, tmp_path: Path) -> None:
    (tmp_path / "deep.toml").write_text(f"data = {'[' * 2000}{']' * 2000}")
    done = run("search", "deep.toml", "--dry-run")
    assert (done.returncode, "nested too deeply" in done.stderr) == (2, True)
    width = f"width={'[' * 2000}"
    assert run("search", "--budget", "2k", "--fix", width, "--dry-run").returncode == 2
