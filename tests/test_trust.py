"""Studies, specs and packages of somebody else's: nothing that they name runs, and nothing is
written where they point, unless they are trusted."""

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas_kd.api import Study
from nas_kd.cli.foreground import kept_teacher_weights
from nas_kd.driver.options import RunOptions, command
from nas_kd.errors import SpecDiffers, Unusable
from nas_kd.package.load import load_student
from nas_kd.package.seal import seal_again
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import StudyView
from tests.conftest import Run, tiny


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module that could be imported, and says so if it was."""
    name = f"evil_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(
        "from pathlib import Path\n"
        "Path(__file__).with_suffix('.ran').touch()\n"
        "def made():\n"
        "    raise OSError('called')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def ran(evil: str, folder: Path) -> bool:
    """Whether the module was imported."""
    return (folder / f"{evil}.ran").exists()


@pytest.fixture
def package(study: StudyView, tmp_path: Path) -> Path:
    """A package that lies apart from its study."""
    return Study(study).export("best", tmp_path / "package")


@pytest.fixture
def copied(study: StudyView, tmp_path: Path) -> Path:
    """A copy of a finished study."""
    return Path(shutil.copytree(study.folder.root, tmp_path / "copied"))


def spoil(package: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Write something else into a package's config, and the proof of it, as whoever made it can."""
    facts = json.loads((package / "config.json").read_text())
    change(facts)
    (package / "config.json").write_text(json.dumps(facts))
    seal_again(package)


def listing(folder: Path) -> dict[str, int]:
    """Every file of a folder but its report and database, and when it was last written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    named = [path for path in files if not path.name.startswith(("report.html", "study.db"))]
    return {str(path): path.stat().st_mtime_ns for path in named}


def test_a_plug_in_of_a_package_is_not_imported_without_trust(
    package: Path, evil: str, run: Run, tmp_path: Path
) -> None:
    spoil(package, lambda facts: facts.update(plugins=[evil]))
    for typed in (["evaluate", str(package)], ["evaluate", str(package), "--data", "digits"]):
        done = run(*typed)
        assert done.returncode == 2
        assert f"names code that would be imported and run: plug-in {evil}" in done.stderr
        assert "--trust" in done.stderr
    with pytest.raises(Unusable, match=f"plug-in {evil}"):
        load_student(package)
    assert not ran(evil, tmp_path)
    load_student(package, trust=True)
    assert ran(evil, tmp_path)


def test_a_function_that_a_package_calls_its_family_is_not_called_without_trust(
    package: Path, evil: str, run: Run, tmp_path: Path
) -> None:
    for family in (f"{evil}:made", "os:getcwd"):
        spoil(package, lambda facts, family=family: facts["student"].update(family=family))
        assert f"family {family}" in run("evaluate", str(package)).stderr
    assert not ran(evil, tmp_path)


def test_data_that_a_package_names_are_not_called_without_trust(
    package: Path, evil: str, run: Run, tmp_path: Path
) -> None:
    spoil(package, lambda facts: facts["data"].update(name=f"{evil}:made"))
    done = run("evaluate", str(package))
    assert done.returncode == 2
    assert f"data {evil}:made" in done.stderr
    assert not ran(evil, tmp_path)
    assert "called" in run("evaluate", str(package), "--trust").stderr
    assert ran(evil, tmp_path)


def test_data_that_are_named_by_a_flag_are_trusted(
    package: Path, evil: str, run: Run, tmp_path: Path
) -> None:
    assert "called" in run("evaluate", str(package), "--data", f"{evil}:made").stderr
    assert ran(evil, tmp_path)


def test_a_look_is_not_written_into_a_study_that_a_package_only_names(
    package: Path, run: Run, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "students" / "00000").mkdir(parents=True)
    (outside / "students" / "00000" / "weights.safetensors").write_bytes(b"others")
    spoil(package, lambda facts: facts.update(study=str(outside)))
    before = listing(outside)
    looks = len(json.loads((package / "evaluations.json").read_text()))
    done = run("evaluate", str(package))
    assert (done.returncode, listing(outside)) == (0, before)
    assert f"not in its study {outside}: with --trust it is counted there too" in done.stderr
    assert f"the test split {looks + 1} time" in (package / "card.md").read_text()


def test_with_trust_a_look_is_counted_in_the_study_that_a_package_names(
    copied: Path, run: Run, tmp_path: Path
) -> None:
    package = Study.open(copied).export("best", tmp_path / "elsewhere")
    looks = (
        len(json.loads((copied / "evaluations.json").read_text()))
        if (copied / "evaluations.json").exists()
        else 0
    )
    assert run("evaluate", str(package), "--trust").stderr == ""
    assert len(json.loads((copied / "evaluations.json").read_text())) == looks + 1


@pytest.mark.parametrize("setting", ["plugins", "family", "co_teacher", "teacher", "data"])
def test_code_that_a_studys_spec_names_is_not_imported_without_trust(
    setting: str, copied: Path, evil: str, run: Run, tmp_path: Path
) -> None:
    name = evil if setting == "plugins" else f"{evil}:made"
    value = json.dumps(name if setting in ("data", "co_teacher") else [name])
    lines = (copied / "spec.toml").read_text().splitlines()
    if setting == "co_teacher":  # a study without one does not name it
        lines.insert(1, "co_teacher = 0")
    kept = [f"{setting} = {value}" if line.startswith(f"{setting} = ") else line for line in lines]
    assert kept != lines
    (copied / "spec.toml").write_text("\n".join(kept))
    before = listing(copied)
    for typed in (
        ["search", "--study", str(copied)],
        ["search", str(copied)],
        ["search", "--study", str(copied), "--trials", "+4"],
        ["check", str(copied)],
        ["search", str(copied / "spec.toml")],
    ):
        done = run(*typed)
        assert done.returncode == 2, typed
        kind = "plug-in" if setting == "plugins" else setting
        assert f"would be imported and run: {kind} {name}" in done.stderr, typed
    for typed in (["trials"], ["report"], ["smallest", "--accuracy", "1%"]):
        assert run(typed[0], str(copied), *typed[1:]).returncode == 0
    assert not ran(evil, tmp_path)
    assert listing(copied) == before
    run("check", str(copied), "--trust")
    assert ran(evil, tmp_path)


def test_code_that_a_spec_and_the_flags_name_is_trusted(
    evil: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "spec.toml").write_text(tiny(data=f"{evil}:made").to_toml())
    assert "would be imported and run" in run("search", "spec.toml").stderr
    assert not ran(evil, tmp_path)
    assert "called" in run("search", "spec.toml", "--data", f"{evil}:made").stderr


def test_a_family_that_only_a_studys_database_names_is_not_called(
    copied: Path, evil: str, run: Run, tmp_path: Path
) -> None:
    for family in ("os:getcwd", f"{evil}:made"):
        with sqlite3.connect(copied / "study.db") as database:
            rows = database.execute(
                "SELECT trial_user_attribute_id, value_json FROM trial_user_attributes "
                "WHERE key = 'student'"
            ).fetchall()
            for row, text in rows:
                facts = json.loads(json.loads(text)) | {"family": family}
                database.execute(
                    "UPDATE trial_user_attributes SET value_json = ? "
                    "WHERE trial_user_attribute_id = ?",
                    (json.dumps(json.dumps(facts)), row),
                )
        database.close()
        done = run("search", "--study", str(copied), "--trials", "+4")
        assert done.returncode == 2
        assert f"has students of {family}, which its spec does not name" in done.stderr
        done = run("export", str(copied), "--to", str(tmp_path / "to"))
        assert done.returncode == 2
        assert f"family {family}" in done.stderr
        assert not (tmp_path / "to").exists()
        done = run("confirm", str(copied), "--seeds", "2", "--epochs", "1", "--workers", "0")
        assert done.returncode == 2
        assert f"has students of {family}, which its spec does not name" in done.stderr
        other = shutil.copytree(copied, tmp_path / "other", dirs_exist_ok=True)
        quick = ("--seeds", "2", "--epochs", "1", "--workers", "0")
        done = run("confirm", str(copied), str(other), *quick)
        assert done.returncode == 2
        assert f"has students of {family}, which its spec does not name" in done.stderr
        for typed in (["trials"], ["report"], ["smallest", "--accuracy", "1%"]):
            assert run(typed[0], str(copied), *typed[1:]).returncode == 0
    assert not ran(evil, tmp_path)


def test_unlabelled_examples_that_only_a_package_names_are_not_imported(
    copied: Path, evil: str, run: Run
) -> None:
    assert run("export", str(copied)).returncode == 0
    config = copied / "best" / "config.json"
    facts = json.loads(config.read_text())
    facts["data"]["unlabelled"] = f"{evil}:made"
    config.write_text(json.dumps(facts))
    done = run("evaluate", str(copied / "best"))
    assert done.returncode == 2
    assert evil not in sys.modules
    assert f"unlabelled {evil}:made" in done.stderr


def test_a_teacher_that_only_the_spec_of_a_packages_study_names_is_not_imported(
    copied: Path, evil: str, run: Run, tmp_path: Path
) -> None:
    assert run("export", str(copied)).returncode == 0
    spec = (copied / "spec.toml").read_text()
    (copied / "spec.toml").write_text(
        spec.replace('teacher = ["train"]', f'teacher = ["{evil}:made"]')
    )
    done = run("evaluate", str(copied / "best"), "--split", "validation")
    assert done.returncode == 0
    assert "its study has another teacher" in done.stderr
    assert not ran(evil, tmp_path)
    for typed in ([], ["--trust"]):
        done = run("confirm", str(copied), "--seeds", "2", "--epochs", "1", *typed)
        assert done.returncode == 2
        assert ran(evil, tmp_path) is bool(typed)


def test_a_plug_in_that_is_here_already_does_not_open_the_working_folder(
    package: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(tmp_path))])
    spoil(package, lambda facts: facts.update(plugins=["json"]))
    assert run("evaluate", str(package)).returncode == 0
    assert str(tmp_path) not in sys.path


def test_a_study_of_code_says_how_to_go_on_with_trust(study: StudyView) -> None:
    options = RunOptions(Path("runs/mine"), 2)
    assert command(study.spec, options) == "nas-kd search --study runs/mine"
    own = study.spec.model_copy(update={"teacher": ("mymodels:net",)})
    assert command(own, options) == "nas-kd search --study runs/mine --trust"


def test_a_study_of_code_that_was_made_otherwise_is_named_with_trust(tmp_path: Path) -> None:
    own = tiny().model_copy(update={"teacher": ("mymodels:net",)})
    (tmp_path / "spec.toml").write_text(own.to_toml())
    with pytest.raises(SpecDiffers, match=f"nas-kd search --study {tmp_path} --trust"):
        StudyFolder(tmp_path).compare(tiny())


def test_the_teacher_that_a_study_has_is_checked(tmp_path: Path) -> None:
    own = tiny().model_copy(update={"teacher": ("mymodels:net",)})
    (tmp_path / "spec.toml").write_text(own.to_toml())
    assert kept_teacher_weights(own, tmp_path) == ()
    facts = {"target": "mymodels:net", "width": 8, "sha256": "", "accuracy": None, "macs": None,
             "parameters": None, "activations": None, "seconds": 0.0, "notes": [], "parts": [],
             "file": "weights.safetensors", "file_sha256": "", "weights": "best.pt"}  # fmt: skip
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "config.json").write_text(json.dumps(facts))
    kept = tmp_path / "teacher" / "weights.safetensors"
    assert kept_teacher_weights(own, tmp_path) == (kept,)
    assert kept_teacher_weights(tiny(), tmp_path) == ()


def test_a_study_that_is_not_there_needs_a_budget(run: Run) -> None:
    done = run("search", "--study", "nowhere")
    assert done.returncode == 2
    assert "nowhere holds none to go on with; a new one needs --budget" in done.stderr


def test_a_module_that_is_not_found_is_looked_for_in_its_folder(run: Run) -> None:
    done = run("search", "--budget", "2k", "--data", "digits", "--family", "elsewhere:Net")
    assert done.returncode == 2
    assert "Search in the folder that has elsewhere.py" in done.stderr
