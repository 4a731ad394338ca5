"""The tutorial runs from top to bottom, with worker processes, in a real kernel."""

import os
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "studies" / "tutorial" / "tutorial.ipynb"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_tutorial_shows_the_front_as_a_table_and_a_figure(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for number, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{number}")
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    kinds = {
        kind
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
    }
    assert "text/html" in kinds
    assert "application/vnd.plotly.v1+json" in kinds
    text = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert "istillation" in text or "distilled" in text
    pages = [
        output["data"]["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    assert sum("its twin, alone" in page for page in pages) >= 2
    figures = [
        number
        for number, cell in enumerate(notebook.cells)
        for output in cell.get("outputs", [])
        if "application/vnd.plotly.v1+json" in output.get("data", {})
    ]
    assert len(figures) >= 2  # the front, and that of a card below its table
    assert (tmp_path / "runs" / "tutorial" / "study.db").exists()
