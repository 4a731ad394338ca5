"""The shape of the package, held."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nas_kd

ROOT = Path(nas_kd.__file__).parent
LINE = (
    "errors", "registry", "files", "records", "interrupts", "front", "intervals", "crossed",
    "verdict", "costs", "workers", "metrics", "data", "students", "knowledge", "schemes", "spec",
    "training", "space", "teachers", "study", "driver", "confirm", "package", "check", "report",
    "api", "cli",
)  # fmt: skip
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def parts_imported(file: Path) -> set[str]:
    """The parts of the package that a file imports, at the top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [node.module or ""]
            if node.module == "nas_kd":
                names = [f"nas_kd.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("nas_kd.")}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_down_the_line(file: Path) -> None:
    part = file.relative_to(ROOT).parts[0].removesuffix(".py")
    assert parts_imported(file) <= {part, *LINE[: LINE.index(part)]}


def test_every_part_is_on_the_line() -> None:
    assert {file.relative_to(ROOT).parts[0].removesuffix(".py") for file in FILES} == set(LINE)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_whatever_is_public_says_what_it_is(file: Path) -> None:
    tree = ast.parse(file.read_text())
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            nested = any(
                node in ast.walk(other) and node is not other
                for other in ast.walk(tree)
                if isinstance(other, ast.FunctionDef)
            )
            assert nested or ast.get_docstring(node), f"{file}:{node.lineno} {node.name}"


def loaded_after(code: str) -> set[str]:
    """The modules that are loaded after some code ran in a new process."""
    ask = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("code", ["import nas_kd", "import nas_kd.cli"])
def test_the_package_and_the_commands_import_without_torch(code: str) -> None:
    assert not {"torch", "optuna", "pydantic"} & loaded_after(code)


def test_every_public_name_is_listed_and_there() -> None:
    assert sorted(nas_kd.__all__) == sorted(nas_kd.PUBLIC)
    for name in nas_kd.__all__:
        assert getattr(nas_kd, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = nas_kd.nothing
