"""Random inputs for everything that reads: each is read, or refused with one of our errors.

    python -m tests.fuzz 20000 [FIRST]      # so many inputs, from the seed FIRST on

A forked child reads some inputs after another, within a limit of memory and time; what ends it is
told with the seed that makes the input again.
"""

import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import string
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from safetensors.torch import save

from nas_kd.check.examples import of_examples
from nas_kd.check.findings import read_findings
from nas_kd.cli import flags
from nas_kd.confirm.confirmation import read_confirmation
from nas_kd.costs.budgets import parse_budgets
from nas_kd.data import source_of
from nas_kd.data.given import raw_of
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare
from nas_kd.driver.drive import finished
from nas_kd.driver.teacher_folder import all_ready
from nas_kd.driver.teacher_names import describe
from nas_kd.errors import NasKDError
from nas_kd.package.config import FILES
from nas_kd.package.load import load_student
from nas_kd.package.write import export
from nas_kd.report.cards import cards
from nas_kd.report.summary import summarize
from nas_kd.report.terminal import trials_table
from nas_kd.spec import StudySpec
from nas_kd.students.family import StudentConfig
from nas_kd.study.checkpoints import find_result, keep_result, keep_student
from nas_kd.study.folder import StudyFolder
from nas_kd.study.looks import read_looks
from nas_kd.study.mishaps import keep_mishap, mishaps
from nas_kd.study.view import StudyView, read_study
from nas_kd.teachers import opened
from nas_kd.teachers.checkpoints import fit
from nas_kd.teachers.network import wide
from nas_kd.training import RungResult
from nas_kd.training.checkpoints import snapshot

MEMORY, SECONDS, TOGETHER = 2**31, 30, 50
"""Bytes more than there were and seconds that an input may take, and inputs of one child."""

Draw = random.Random

WORDS = ("", "?", "NA", "None", "nan", "-", "x", "löw", "a b", '"', "3", "1e400", "inf", "-0",
         "0x1", "2020-01-01", "31/12/99", "12:30", "\t", ";", "true", "\x00", "9" * 30)  # fmt: skip


def spoiled(draw: Draw, content: bytes) -> bytes:
    """The content, most often with some bytes changed, cut off, doubled or put in."""
    changed = bytearray(content)
    for _ in range(draw.choice((0, 0, 1, 1, 3, 20))):
        at = draw.randrange(len(changed) + 1)
        how = draw.randrange(4)
        if how == 0 and changed:
            changed[at % len(changed)] = draw.randrange(256)
        elif how == 1:
            del changed[at : at + draw.choice((1, 8, len(changed)))]
        elif how == 2:
            changed[at:at] = changed[at : at + 40]
        else:
            changed[at:at] = draw.randbytes(draw.randrange(1, 6))
    return bytes(changed)


def column(draw: Draw, rows: int) -> list[str]:
    """Cells of one kind, and at times some of another."""
    kind = draw.randrange(8)
    made: dict[int, Callable[[int], Any]] = {
        0: lambda row: draw.randrange(5),
        1: lambda row: round(draw.gauss(0, 10.0 ** draw.randrange(6)), draw.randrange(5)),
        2: lambda row: draw.choice("abc"),
        3: lambda row: row * draw.randrange(1, 3),
        4: lambda row: f"20{draw.randrange(10, 30)}-0{draw.randrange(1, 10)}-1{draw.randrange(10)}",
        5: lambda row: f"{draw.randrange(1, 14)}/{draw.randrange(1, 33)}/2020",
        6: lambda row: "".join(draw.choices(string.printable, k=draw.randrange(6))),
        7: lambda row: draw.choice(WORDS),
    }
    odd = draw.choice((0, 0, 0.05, 0.5))
    return [draw.choice(WORDS) if draw.random() < odd else str(made[kind](row))
            for row in range(rows)]  # fmt: skip


def table(draw: Draw, place: Path) -> None:
    """A CSV file, and what is said of it."""
    rows, between = draw.choice((0, 1, 5, 40, 120)), draw.choice(",,,,;\t|")
    names = draw.sample(["y", "label", "x", "a b", "y", "", "x;z", "é", "id", "when"], 4)
    cells = [names, *zip(*(column(draw, rows) for _ in names), strict=True)]
    text = "\n".join(between.join(map(str, row)) for row in cells)
    (place / "t.csv").write_bytes(spoiled(draw, text.encode()))
    asked = {
        "label": draw.choice((None, "y", names[0])),
        "group": draw.choice((None, None, None, names[1])),
        "drop": draw.choice(((), (names[2],))),
        "keep": draw.choice(((), (names[3],))),
        "words": draw.choice((50, 2)),
        "validation": draw.choice((None, 0.3, 0.99)),
    }
    prepared(f"csv:{place / 't.csv'}", place, asked)


def prepared(name: str, place: Path, asked: dict[str, Any]) -> None:
    """Read, split and written, as a search does it, then looked at as `check` does."""
    made = prepare(name, source_of(name), Request(place, **asked), cache=place / "cache")
    list(of_examples(made))


def array(draw: Draw) -> np.ndarray[Any, Any]:
    """An array of any shape and kind."""
    sides = [draw.choice((0, 1, 2, 12, 25)) for _ in range(draw.randrange(4))]
    numbers = np.random.default_rng(draw.randrange(99)).normal(
        0, 5, (draw.choice((0, 8, 40)), *sides)
    )
    kind = draw.choice(("f4", "f8", "f2", "u1", "i8", "?", "c8", "U3", "M8[s]", "O", "V4", "f16"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return numbers.astype(kind)
        except (TypeError, ValueError):
            return numbers


def labels(draw: Draw, count: int) -> Any:
    """Labels as people give them, or nearly."""
    values = draw.choice(([0, 1], [1, 2, 3], [-1, 1], ["a", "b"], [0.5, 1], [0, 300_000_000],
                          [True, False], [None, 1], ["a", 2], [b"x", b"y"],
                          [2**70, 1]))  # fmt: skip
    drawn = [draw.choice(values) for _ in range(count)]
    return draw.choice((lambda: np.array(drawn), lambda: drawn, lambda: np.array([drawn]).T,
                        lambda: np.eye(2)[: len(drawn)]))()  # fmt: skip


def npz(draw: Draw, place: Path) -> None:
    """An .npz of arrays under names that people use, or others."""
    x = array(draw)
    parts: dict[str, Any] = {"X": x, "y": labels(draw, len(x))}
    for name in draw.sample(["x_test", "y_test", "x_val", "unlabelled", "classes", "odd"], 2):
        parts[name] = draw.choice((lambda: array(draw), lambda: labels(draw, 8), lambda: x))()
    content = io.BytesIO()
    np.savez(content, **parts)
    (place / "a.npz").write_bytes(spoiled(draw, content.getvalue()))
    layout = draw.choice(("auto", "auto", "pictures", "signals", "table"))
    prepared(f"npz:{place / 'a.npz'}", place, {"layout": layout})


def given(draw: Draw, place: Path) -> None:
    """Objects from Python."""
    x = array(draw)
    y = labels(draw, len(x))
    whole = draw.choice((
        lambda: (x, y), lambda: (x.tolist(), y), lambda: ((x, y), (x, y)), lambda: x,
        lambda: list(zip(x, y, strict=False)), lambda: {"train": (x, y), "test": (x[:4], y[:4])},
        lambda: {"train": (x, y), "unlabelled": array(draw)}, lambda: None, lambda: "text",
        lambda: {1: 2}, lambda: [x, y], lambda: {"x": x}, lambda: (torch.from_numpy(x), y),
    ))  # fmt: skip
    try:
        made = whole()
    except (TypeError, ValueError):
        return
    raw_of(made, "data", lambda text: None)


def pictures(draw: Draw, place: Path) -> None:
    """A folder of pictures."""
    for name in draw.sample(["a", "b", "c", ".hidden", "train/a", "train/b", "test/a", "é"], 3):
        for number in range(draw.choice((0, 3, 6))):
            mode = draw.choice(("RGB", "L", "RGBA", "P", "1", "LA", "CMYK", "I", "F", "I;16"))
            size = (draw.randrange(1, 20), draw.randrange(1, 20))
            kind = draw.choice(("png", "jpeg", "bmp", "gif", "tiff", "webp", "ppm"))
            content = io.BytesIO()
            try:
                Image.new(mode, size, draw.randrange(256)).save(content, kind)
            except (OSError, ValueError, TypeError, KeyError):
                continue
            path = place / "p" / name / f"{number}.{draw.choice((kind, kind, 'txt', 'PNG'))}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(spoiled(draw, content.getvalue()))
    prepared(f"imagefolder:{place / 'p'}", place, {"image_size": 8})


def other_json(draw: Draw, found: Any) -> Any:
    """A JSON value with some of its parts exchanged."""
    if draw.random() < 0.08:
        return draw.choice(([], {}, None, 3, -1, "x", 1e99, True, [[]], {"x": 1}))
    if isinstance(found, dict):
        kept = {k: other_json(draw, v) for k, v in found.items() if draw.random() > 0.01}
        return kept
    if isinstance(found, list):
        return [other_json(draw, one) for one in found]
    return found


def package(draw: Draw, place: Path) -> None:
    """A package whose files are not as they were written."""
    home = Path(os.environ["NAS_KD_FUZZ_PACKAGE"])
    for name in (*FILES, "evaluations.json"):
        content = (home / name).read_bytes()
        if name.endswith(".json") and draw.random() < 0.6:
            content = json.dumps(other_json(draw, json.loads(content))).encode()
        (place / name).write_bytes(spoiled(draw, content) if draw.random() < 0.5 else content)
    read_looks(place)
    load_student(place)


def study(draw: Draw, place: Path) -> None:
    """A study's files that are not as they were written."""
    home, folder = Path(os.environ["NAS_KD_FUZZ_STUDY"]), StudyFolder(place)
    for name in ("data.json", "spec.toml", "teacher/config.json", "study.db"):
        content = (home / name).read_bytes()
        if name.endswith(".json") and draw.random() < 0.6:
            content = json.dumps(other_json(draw, json.loads(content))).encode()
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(spoiled(draw, content))
    for read in (folder.read_data, folder.read_spec, lambda: all_ready(folder, 1)):
        try:
            read()
        except NasKDError:
            continue


def copied(draw: Draw, name: str, place: Path, share: float) -> None:
    """A file of the study, with this chance not as it was written."""
    content = (Path(os.environ["NAS_KD_FUZZ_STUDY"]) / name).read_bytes()
    if draw.random() < share:
        if name.endswith(".json") and draw.random() < 0.6:
            content = json.dumps(other_json(draw, json.loads(content))).encode()
        content = spoiled(draw, content)
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(content)


CONFIRM = Path(__file__).parents[1] / "studies" / "glyphs-20k" / "confirm.json"
"""A confirm as it is kept."""

CELLS = (("trial_user_attributes", "value_json"), ("study_user_attributes", "value_json"),
         ("trial_params", "param_value"), ("trial_params", "distribution_json"),
         ("trial_values", "value"), ("trial_values", "value_type"), ("trials", "state"),
         ("trials", "number"), ("trials", "datetime_start"), ("studies", "study_name"),
         ("study_directions", "direction"), ("version_info", "schema_version"),
         ("alembic_version", "version_num"), ("trial_user_attributes", "key"),
         ("study_user_attributes", "key"))  # fmt: skip
"""Cells of the tables of a study's database."""


def database(draw: Draw, place: Path) -> None:
    """A study whose database has odd values in some cells, or lacks rows."""
    for name in ("data.json", "study.db", *(["spec.toml"] * (draw.random() < 0.8))):
        copied(draw, name, place, 0.05)
    with contextlib.suppress(sqlite3.DatabaseError), sqlite3.connect(place / "study.db") as tables:
        for _ in range(draw.choice((1, 1, 2, 6))):
            table, cell = draw.choice(CELLS)
            row = f"(SELECT rowid FROM {table} ORDER BY rowid LIMIT 1 OFFSET {draw.randrange(20)})"
            if draw.random() < 0.1:
                tables.execute(f"DELETE FROM {table} WHERE rowid = {row}")
                continue
            (before,) = tables.execute(
                f"SELECT {cell} FROM {table} WHERE rowid = {row}"
            ).fetchone() or (None,)
            after = draw.choice((None, "", "x", -1, 3, 1e300, b"\xff", "[]", "{}", "null", "1e999"))
            if isinstance(before, str) and cell.endswith("json") and draw.random() < 0.7:
                with contextlib.suppress(ValueError):  # changed before
                    after = json.dumps(other_json(draw, json.loads(before)))
            tables.execute(f"UPDATE OR IGNORE {table} SET {cell} = ? WHERE rowid = {row}", (after,))
    folder = StudyFolder(place)
    if folder.has_spec():
        finished(folder, folder.read_spec())
    view = read_study(folder)
    summarize(view)
    trials_table(view)
    for card in cards(view):
        Console(file=io.StringIO()).print(card)


def records(draw: Draw, place: Path) -> None:
    """A study's smaller files that are not as they were written."""
    folder = StudyFolder(place)
    keep_mishap(folder, "again", "trial 3")
    folder.mishaps.write_bytes(spoiled(draw, folder.mishaps.read_bytes()))
    mishaps(folder)
    note = json.dumps(other_json(draw, {"url": "postgresql://ana@db.example/x", "study": "one"}))
    folder.storage.write_bytes(spoiled(draw, note.encode()))
    findings = {"when": "now", "findings": [{"how_bad": "wrong", "about": "data", "what": "x",
                                             "what_to_do": "y"}]}  # fmt: skip
    text = json.dumps(other_json(draw, findings))
    folder.findings.write_bytes(spoiled(draw, text.encode()))
    reads: tuple[Callable[[], object], ...] = (
        lambda: folder.database, lambda: read_findings(folder.findings),
        lambda: read_confirmation(folder.confirmation),
    )  # fmt: skip
    confirm = json.dumps(other_json(draw, json.loads(CONFIRM.read_text())))
    folder.confirmation.write_bytes(spoiled(draw, confirm.encode()))
    for read in reads:
        try:
            read()
        except NasKDError:
            continue


def checkpoint(draw: Draw, place: Path) -> None:
    """A kept result of a rung that is not as it was written."""
    folder = StudyFolder(place)
    kept = snapshot({"": ({"weight": torch.zeros(3)}, {}, {})}, torch.zeros(8, 3))
    keep_result(folder, RungResult(3, 0.5, 1, 0.1, kept))
    path = folder.checkpoint(3, 1)
    for file in (path, path.with_suffix(".json")):
        content = file.read_bytes()
        if file.suffix == ".json" and draw.random() < 0.6:
            content = json.dumps(other_json(draw, json.loads(content))).encode()
        file.write_bytes(spoiled(draw, content))
    found = find_result(folder, 3, 1, lambda: None)
    if found is not None and found.fault is None:
        keep_student(folder.student(3), StudentConfig("cnn", (1, 8, 8), 3, 1, (2,)), found)


def network(draw: Draw, place: Path) -> None:
    """A teacher as ONNX that is not as it was written."""
    content = Path(os.environ["NAS_KD_FUZZ_ONNX"]).read_bytes()
    (place / "t.onnx").write_bytes(spoiled(draw, content))
    data = prepare("digits", source_of("digits"), Request(place))
    (teacher,) = describe(
        StudySpec.create({"budget": "2k", "teacher": f"{place}/t.onnx"}), data, ()
    )
    opened(teacher, data)


def weights(draw: Draw, place: Path) -> None:
    """A file of weights."""
    network = wide((1, 8, 8), 3, 2)
    state: Any = {
        draw.choice(("", "module.", "net.")) + k: v for k, v in network.state_dict().items()
    }
    for _ in range(draw.randrange(3)):
        state = {
            draw.choice(("state_dict", "net", "model", "x")): state,
            "epoch": draw.randrange(9),
        }
    content = io.BytesIO()
    if draw.random() < 0.5:
        torch.save(state, content)
        path = place / "w.pt"
    else:
        content.write(save(network.state_dict()))
        path = place / "w.safetensors"
    path.write_bytes(spoiled(draw, content.getvalue()))
    fit(path, network, "mine:net")


def budgets(draw: Draw, place: Path) -> None:
    """Budgets as text."""
    parts = ["2", "0", ".", "5", "k", "K", "M", "Ki", "B", "%", " ", "ram", "macs", "ms", "-", "e9"]
    parse_budgets(["".join(draw.choices(parts, k=draw.randrange(1, 9))) for _ in range(2)], 1000)


def spec(draw: Draw, place: Path) -> None:
    """A spec.toml, and flags."""
    lines = [
        f"{name} = {draw.choice(VALUES)}" for name in draw.sample([*StudySpec.model_fields], 5)
    ]
    text = 'budget = "2k"\n' * (draw.random() < 0.8) + "\n".join(lines)
    (place / "s.toml").write_bytes(spoiled(draw, text.encode()))
    said = flags.assignments("--fix", [f"width={draw.choice(VALUES)}"])
    StudySpec.create(StudySpec.read(place / "s.toml", schema=3) | said)


VALUES = ('"x"', "3", "-1", "0.5", "[1, 2]", "[2, 1]", "[]", '["cnn", "mlp"]', "true", "1e999",
          "nan", '""', "1979-05-27", "{ a = 1 }", "[[1]]", '"2k"', "9" * 25)  # fmt: skip

READERS = (table, table, npz, given, pictures, package, study, weights, budgets, spec, database,
           records, checkpoint, network)  # fmt: skip


def read_one(seed: int) -> None:
    """Make an input and read it. Raises whatever is none of our errors."""
    draw = Draw(seed)
    with tempfile.TemporaryDirectory() as place:
        try:
            draw.choice(READERS)(draw, Path(place))
        except NasKDError as error:
            str(error)


def data_bytes() -> int:
    """Bytes of memory that this process may write to."""
    facts = Path("/proc/self/status").read_text()
    return 1024 * int(facts.split("VmData:")[1].split()[0])


def child(seeds: range, tell: int) -> None:
    """Read the inputs of these seeds; tell each one before, and what went wrong after."""
    most = data_bytes() + MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    warnings.simplefilter("ignore")
    for seed in seeds:
        os.write(tell, f"{seed}\n".encode())
        signal.alarm(SECONDS)
        try:
            read_one(seed)
        except BaseException:
            os.write(tell, f"{seed} {traceback.format_exc()[-2000:]!r}\n".encode())
        signal.alarm(0)


def run(first: int, count: int) -> list[str]:
    """What went wrong with so many inputs, in forked children; nothing if all is well."""
    wrong = []
    seeds = range(first, first + count)
    while seeds:
        some = seeds[:TOGETHER]
        receive, tell = os.pipe()
        if (process := os.fork()) == 0:
            try:
                child(some, tell)
            except BaseException:
                os.write(tell, f"{some[0]} {traceback.format_exc()[-2000:]!r}\n".encode())
            finally:
                os._exit(0)
        os.close(tell)
        with open(receive) as told:
            lines = told.read().splitlines()
        _, status = os.waitpid(process, 0)
        last = int(lines[-1].split()[0]) if lines else some[0]
        wrong += [line for line in lines if " " in line]
        if not lines:
            wrong.append(f"{last} was not read")
        if status:
            wrong.append(f"{last} ended by signal {os.WTERMSIG(status)}")
        seeds = range(last + 1, seeds.stop)
    return wrong


EXPORT = """
import sys, torch
from nas_kd.teachers.network import wide
example = (torch.zeros(7, 1, 8, 8),)
network = wide((1, 8, 8), 10, 2).eval()
torch.onnx.export(network, example, dynamo=True, verbose=False).save(sys.argv[1])
"""
"""In a process of its own: exporting leaves its marks in torch."""


def whole(view: StudyView, place: Path) -> dict[str, str]:
    """Where the children find a study, a package and a teacher that are whole, as variables of the
    environment."""
    subprocess.run([sys.executable, "-c", EXPORT, str(place / "teacher.onnx")], check=True)
    study = place / "whole"
    shutil.copytree(view.folder.root, study, ignore=shutil.ignore_patterns("study.db*"))
    with contextlib.closing(sqlite3.connect(view.folder.sqlite)) as tables:
        tables.execute("VACUUM INTO ?", (str(study / "study.db"),))  # with what is in its log
    return {
        "NAS_KD_FUZZ_STUDY": str(study),
        "NAS_KD_FUZZ_PACKAGE": str(export(view, "best", place / "package")),
        "NAS_KD_FUZZ_ONNX": str(place / "teacher.onnx"),
    }


def main() -> None:
    """Make a study, a package and a teacher, then read."""
    from tests.conftest import searched

    torch.set_num_threads(1)  # a forked child has none of its parent's threads
    count, *first = map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory() as place:
        os.environ["NAS_KD_CACHE"] = str(Path(place, "cache"))
        os.environ |= whole(searched(Path(place, "study")), Path(place))
        wrong = run(first[0] if first else 0, count)
    print("\n".join(wrong))
    print(f"{count} inputs, {len(wrong)} wrong")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
