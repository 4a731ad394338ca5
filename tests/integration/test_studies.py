"""The short forms of the studies run; they tell nothing of what is measured."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"


@pytest.mark.parametrize(
    "study", ["transfer-set", "teachers", "model-compression", "knowledge", "schemes", "quantised"]
)
def test_a_short_form_runs_and_leaves_the_result_as_it_was(study: str, tmp_path: Path) -> None:
    kept = ROOT / "studies" / study / "result.json"
    before = kept.read_bytes() if kept.exists() else None
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "studies" / study / "measure.py"), "--short"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (result,) = tmp_path.glob("runs/*-short/result.json")
    parts = [one for one in json.loads(result.read_text()).values() if "arms" in str(one)]
    assert len(parts) == 1
    assert (kept.read_bytes() if kept.exists() else None) == before


@pytest.mark.skipif(not SHARED.exists(), reason=f"needs MNIST's files in {SHARED}")
def test_the_short_form_on_mnist_has_every_row(tmp_path: Path) -> None:
    script = ROOT / "studies" / "hinton-mnist" / "measure.py"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), "--short", "--data-root", str(SHARED)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (result,) = tmp_path.glob("runs/*-short/result.json")
    found = json.loads(result.read_text())
    rows = {"teacher", "alone", "distilled", "alone-jitter", "distilled-jitter"}
    assert {*found["errors"]} == rows
    assert len(found["fewer errors"]) == 3
    assert {f"threes-{seed}" for seed in (0, 1)} <= {*found["units"]}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_searches_that_are_killed_at_random_moments_go_on_to_the_same_result(
    tmp_path: Path,
) -> None:
    command = [sys.executable, str(ROOT / "studies" / "faults" / "measure.py"), "--short"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"not equal, or a process left": []' in done.stdout


def test_a_search_whose_training_is_a_formula_says_what_it_costs(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "studies" / "scale" / "measure.py"), "--short"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    *series, report = map(json.loads, done.stdout.splitlines())
    assert [point["trials"] for point in series] == [100, 200]
    assert all(point["propose"] > point["sampler"] > 0 < point["tell"] for point in series)
    assert report["MB"] > 1


def test_the_fronts_of_all_trials_and_of_the_last_are_compared(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "studies" / "scale" / "learned.py"), "--short"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["learned from"] for row in rows] == [96, 32]
    assert all(0.1 < row["worth"] < 0.5 for row in rows)


def test_the_picture_of_ten_thousand_trials_is_drawn(tmp_path: Path) -> None:
    script = ROOT / "studies" / "scale" / "draw.py"
    subprocess.run([sys.executable, str(script), "--place", str(tmp_path)], check=True)
    assert "milliseconds of a trial" in (tmp_path / "scale.html").read_text()
