"""Writing a package's student as C, compiled and tested here where there is a compiler."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from nas_kd.costs.budgets import COSTS, FLOAT, QUANTISED
from nas_kd.data.columns import column_in_words
from nas_kd.errors import Unusable, UnusablePackage
from nas_kd.files import write_text
from nas_kd.package.c.source import MAKEFILE, CStudent, header, source, test
from nas_kd.package.load import Opened, opened
from nas_kd.package.seal import seal_again
from nas_kd.students.decode import counts
from nas_kd.students.family import StudentConfig
from nas_kd.students.quantised.memory import arena_of
from nas_kd.students.quantised.operations import Program, Weighted

FOLDER = "c"

TIME = 600
"""Seconds that compiling and testing may take."""


def to_c(package: Path, trust: bool = False) -> Path:
    """Write the C files of a package that has integers into its folder `c`.

    Raises Unusable, and UnusablePackage if the compiled student does not give the stored answers.
    """
    found = opened(package, trust)
    if found.program is None:
        raise Unusable(f"package {package}", "has no integers", "Export it with --c.")
    config = StudentConfig.from_json(json.dumps(found.facts["student"]))
    stored = "uint8_t" if found.inputs_NX.dtype == torch.uint8 else "float"
    student = CStudent(found.program, config.name(), found.student.shape, found.student.classes,
                       stored, arena_of(found.program), found.student.columns)  # fmt: skip
    expect_room(student, found)
    files = {
        "student.h": header(student),
        "student.c": source(student),
        "student_test.c": test(student, found.inputs_NX, found.answers()["int8"]),
        "Makefile": MAKEFILE,
    }
    measured = compiled(files, f"package {package}")
    files["README.md"] = readme(student, found, measured.sections)
    for name, text in files.items():
        write_text(package / FOLDER / name, text)
    facts = json.loads((package / "config.json").read_text())
    kept = {"tested": measured.tested, "arena": student.arena.size,
            "sections": dict(measured.sections)}  # fmt: skip
    write_text(package / "config.json", json.dumps(facts | {"c": kept}, indent=1))
    seal_again(package)
    return package / FOLDER


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a compiler here made of a student."""

    tested: bool
    """Whether its test passed; it was not run where there is no compiler."""
    sections: Mapping[str, int]
    """The bytes of text, data and bss at -Os; none where they could not be measured."""


def compiled(files: Mapping[str, str], given: str) -> Compiled:
    """Compile a student and run its test, where there is a compiler.

    Raises UnusablePackage for a student that does not give the stored answers.
    """
    if not all(map(shutil.which, ("cc", "make"))):
        return Compiled(False, {})
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        tested, said = made(folder, "test")
        if tested is False:
            wrong = f"does not pass its test in C: {said[-500:]}"
            raise UnusablePackage(given, wrong, "Export it again.")
        _, sizes = made(folder, "size")
    table = re.search(r"text\s+data\s+bss.*\n\s*(\d+)\s+(\d+)\s+(\d+)", sizes)
    names = ("text", "data", "bss")
    found = dict(zip(names, map(int, table.groups()), strict=True)) if table else {}
    return Compiled(bool(tested), found)


def made(folder: str, target: str) -> tuple[bool | None, str]:
    """Whether a target of the Makefile was made, and what was printed; None if it took too long."""
    command = ["make", "CC=cc", "CFLAGS=-Os", target]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIME, check=False
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def flash_of(program: Program) -> int:
    """The bytes of a student's weights, biases and multipliers."""
    layers = [s.operation for s in program.steps if isinstance(s.operation, Weighted)]
    return sum(layer.weight_OIK.numel() + 2 * FLOAT * len(layer.bias_O) for layer in layers)


def expect_room(student: CStudent, found: Opened) -> None:
    """Raise Unusable for a student whose arrays or arena are over a budget, although what is
    counted is within it: a norm that follows no layer has weights of its own."""
    needed = {"bytes": flash_of(student.program), "ram": student.arena.size}
    for cost, bound in found.facts["budgets"]:
        if needed.get(cost, 0) > bound:
            wrong = f"needs {needed[cost]:,} {cost} in C, over its budget of {bound:,.0f}"
            raise Unusable(f"the student {student.name}", wrong, "Search within a smaller budget.")


def readme(student: CStudent, found: Opened, sections: Mapping[str, int]) -> str:
    """c/README.md."""
    counted = flash_of(student.program)
    sizes = "Its sections were not measured where it was written: `make size` does."
    if sections:
        rest = sections["text"] - counted
        sizes = (
            f"`make size`, by the compiler where it was written, at -Os:\n\n"
            f"| section | bytes | what it is |\n|---|---|---|\n"
            f"| text | {sections['text']:,} | {counted:,} of weights, biases and multipliers, "
            f"which budgets count; {rest:,} of code, shapes, class names, tables and "
            f"normalisation |\n"
            f"| bss | {sections['bss']:,} | the arena |\n"
        )
    table = encoding_in_words(student)
    config = StudentConfig.from_json(json.dumps(found.facts["student"]))
    here = COSTS["ram"](counts(config), QUANTISED)
    as_counted = here == student.arena.size
    ram = ", the RAM\nthat was counted" if as_counted else f" ({here:,} were counted)"
    kind = "bytes" if student.stored == "uint8_t" else "floats"
    return f"""# {student.name} in C

`student.h` and `student.c` are the whole student: C99 without a dependency (but `lrintf` of the
standard library), without malloc, with one arena of {student.arena.size:,} bytes{ram}.
Copy them into a project, and call:

```c
#include "student.h"

int number = student_class(example); /* example: STUDENT_INPUTS {kind} as they were stored */
const char *name = student_classes[number];
```
{table}
`make test` compiles `student_test.c` and answers {len(found.inputs_NX)} examples of the study:
PASS means that every logit is the study's to the bit. On a board: compile the three files with
-ffp-contract=off, and have `printf` go where you can read it; -DSTUDENT_TEST_EXAMPLES=4 takes fewer
examples where flash is short.

{sizes}
On a processor without a floating-point unit its library's float routines come on top. The student
keeps its values in the arena, so one call at a time; logits hold until the next one. The sizes are
no latency: that depends on the processor, and the plain loops here use no instruction of its own.
"""


def encoding_in_words(student: CStudent) -> str:
    """How a table's row becomes an example."""
    if not student.columns:
        return ""
    lines = "".join(f"- the column {column_in_words(one)}\n" for one in student.columns)
    return f"""
An example is a row of the table, encoded as in the study: fill every field of a
`struct student_row`, then `student_encode(&row, example)`. The examples of the test are encoded
already, so compare some rows of yours with `load_student(package).predict(frame)` in Python.

{lines}"""
