"""Students in C: compiled as strictly as there is, and equal to the integers to the bit."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from nas_kd.data.columns import Column, encode
from nas_kd.data.columns import Table as Columns
from nas_kd.package.c import source as files
from nas_kd.package.c.encoding import encoding, encoding_declared, identifiers
from nas_kd.package.c.source import MAKEFILE, CStudent, header, quoted, source
from nas_kd.students.family import StudentConfig
from nas_kd.students.quantised.memory import arena_of
from tests.students.quantised.networks import (
    CLASSES,
    configs,
    drawn,
    every,
    made,
    program_of,
    settled,
)
from tests.students.quantised.test_lowering import Ends, Foreign

CHECKED = "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all"

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


def run(folder: Path, flags: str) -> str:
    """What the test of the files in a folder prints."""
    done = subprocess.run(
        ["make", "-s", "test", f"CFLAGS={flags}"], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def write(folder: Path, network: nn.Module, shape: tuple[int, ...], name: str) -> CStudent:
    """Write a network's files, with 40 examples as its test."""
    program = program_of(network, shape)
    examples = drawn(shape, 40)
    stored = "uint8_t" if len(shape) == 3 else "float"
    classes = tuple(map(str, range(CLASSES)))
    student = CStudent(program, name, shape, classes, stored, arena_of(program))
    for file, text in (
        ("student.h", header(student)), ("student.c", source(student)), ("Makefile", MAKEFILE),
        ("student_test.c", files.test(student, examples, program(examples))),
    ):  # fmt: skip
        (folder / file).write_text(text)
    return student


@pytest.mark.parametrize("config", list(every()))
def test_the_c_code_equals_the_integers_to_the_bit(config: StudentConfig, tmp_path: Path) -> None:
    write(tmp_path, made(config), config.input_shape, config.name())
    assert run(tmp_path, CHECKED) == "PASS: 40 of 40 examples\n"


@pytest.mark.parametrize(
    ("network", "shape"), [(Foreign(), (3, 32, 32)), (Ends(), (2, 20))], ids=["foreign", "ends"]
)
def test_networks_of_others_are_c_too(
    network: nn.Module, shape: tuple[int, ...], tmp_path: Path
) -> None:
    write(tmp_path, settled(network, shape), shape, "of somebody /* else */")
    assert run(tmp_path, CHECKED).startswith("PASS")


def test_an_answer_that_differs_fails(tmp_path: Path) -> None:
    config = next(configs(((17,),)))
    student = write(tmp_path, made(config), (17,), "one")
    examples = drawn((17,), 3)
    logits = student.program(examples).clone()
    logits[1, 2] += 1e-5
    (tmp_path / "student_test.c").write_text(files.test(student, examples, logits))
    done = subprocess.run(["make", "-s", "test"], cwd=tmp_path, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode
    assert "example 1, class 2" in done.stdout
    assert "FAIL: 2 of 3 examples" in done.stdout


def test_a_board_with_little_flash_tests_fewer_examples(tmp_path: Path) -> None:
    write(tmp_path, made(next(configs(((17,),)))), (17,), "one")
    assert run(tmp_path, "-DSTUDENT_TEST_EXAMPLES=4") == "PASS: 4 of 4 examples\n"


COLUMNS = (
    Column("age", None, fill=31.5, flagged=True),
    Column("int", ("a", "b */"), flagged=True),
    Column("Größe in m", None),
    Column("when", None, fill=0.0, flagged=True, date="%Y", parts=("year", "hour")),
    Column("Größe in M", ("x",), merged=3),
)

ENCODE = """
#include <math.h>
#include <stdint.h>
#include <stdio.h>
typedef float student_input;
#define STUDENT_INPUTS 10
{declared}
{defined}
int main(void)
{{
    const struct student_row rows[] = {{
        {{.age = 40.0f, .int_2 = STUDENT_INT_B, .gr_e_in_m = 1.5f, .when_year = 2020.0f,
         .when_hour = 7.0f, .when_missing = 0, .gr_e_in_m_2 = STUDENT_GR_E_IN_M_X}},
        {{.age = NAN, .int_2 = STUDENT_MISSING, .gr_e_in_m = -2.0f, .when_year = 0.0f,
         .when_hour = 9.0f, .when_missing = 1, .gr_e_in_m_2 = STUDENT_OTHER}},
    }};
    for (int n = 0; n < 2; n++) {{
        float example[STUDENT_INPUTS];
        student_encode(&rows[n], example);
        for (int i = 0; i < STUDENT_INPUTS; i++)
            printf("%.9g ", (double)example[i]);
    }}
    return 0;
}}
"""


def test_a_row_of_a_table_is_encoded_in_c_as_in_the_study(tmp_path: Path) -> None:
    text = ENCODE.format(declared=encoding_declared(COLUMNS), defined=encoding(COLUMNS))
    (tmp_path / "encode.c").write_text(text)
    command = "cc -std=c99 -Wall -Wextra -Werror -pedantic -o encode encode.c && ./encode"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = np.array(done.stdout.split(), np.float32).reshape(2, -1)
    assert found[0].tolist() == [40, 0, 0, 1, 0, 1.5, 2020, 7, 0, 1]
    assert found[1].tolist() == [31.5, 1, 0, 0, 1, -2, 1970, 0, 1, 0]
    table = Columns(("age", "int", "Größe in m", "Größe in M"), (None, ("a", "b */"), None, ("x",)),
                    (None,) * 4)  # fmt: skip
    rows = np.array([[40, 1, 1.5, 0], [np.nan, np.nan, -2, np.nan]])
    without_date = [one for one in COLUMNS if not one.date]
    wanted = encode(table, without_date, rows)
    assert (np.delete(found, [6, 7, 8], axis=1) == wanted).all()


def test_names_become_identifiers_that_differ() -> None:
    found = identifiers(["a b", "A-B", "9 lives", "while", "ä", "class"])
    assert found == ["a_b", "a_b_2", "column_9_lives", "while_2", "column", "class_2"]


def test_the_parts_of_a_date_and_other_columns_have_names_of_their_own(tmp_path: Path) -> None:
    columns = (
        Column("start", None, flagged=True, date="%Y", parts=("year",)),
        Column("start year", None), Column("start missing", ("x/*y", "a??/b\\"), flagged=True),
    )  # fmt: skip
    text = "#include <stdint.h>\ntypedef float student_input;\n" + encoding_declared(columns)
    (tmp_path / "row.c").write_text(text + encoding(columns))
    command = "cc -std=c99 -Wall -Wextra -Werror -pedantic -c row.c"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert text.count("start_year;") == 1
    assert "start_year_2;" in text


def test_texts_are_quoted_for_c(tmp_path: Path) -> None:
    texts = ['a"b\\', "what??/!", "日本語-a", "two\nlines", "%s", "9"]
    lines = "".join(f"    puts({quoted(text)});\n" for text in texts)
    text = f"#include <stdio.h>\nint main(void)\n{{\n{lines}    return 0;\n}}\n"
    (tmp_path / "say.c").write_text(text)
    command = "cc -std=c99 -Wall -Wextra -Werror -pedantic -o say say.c && ./say"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == "".join(f"{text}\n" for text in texts)


@pytest.mark.skipif(shutil.which("c++") is None, reason="there is no C++ compiler")
def test_a_program_in_cpp_calls_it(tmp_path: Path) -> None:
    write(tmp_path, made(next(configs(((17,),)))), (17,), "one")
    (tmp_path / "main.cpp").write_text(
        '#include "student.h"\nint main() { student_input x[STUDENT_INPUTS] = {0}; '
        "return student_class(x) < 0; }\n"
    )
    command = "cc -c student.c && c++ main.cpp student.o -lm -o main && ./main"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
