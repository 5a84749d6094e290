"""The examples and the notebook run as they stand, on a tiny lake."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

pytestmark = pytest.mark.ray


def run(folder: Path, script: str, *words: str) -> str:
    shown = subprocess.run(
        [sys.executable, EXAMPLES / script, *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(EXAMPLES.parent)},
    )
    assert shown.returncode == 0, shown.stderr[-2000:]
    return shown.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the first example has made its lake."""
    folder = tmp_path_factory.mktemp("examples")
    assert "mini-dino            model" in run(folder, "1_build.py", "examples-lake", "160")
    return folder


def test_sql(folder):
    shown = run(folder, "2_ask_in_sql.py")
    assert "160 images" in shown and "test images of 640 numbers" in shown


def test_probes_and_maps_and_then_edits_and_the_notebook(folder):
    """In this order: edits are along probes, and the notebook shows both."""
    shown = run(folder, "3_probe_and_transfer.py")
    assert "pixels-16" in shown and "shuffled" in shown
    shown = run(folder, "4_edit.py", "examples-lake", "2")
    assert "orthogonalised" in shown and (folder / "smiling.png").stat().st_size > 1000
    assert "<img" in notebook(folder)


def notebook(folder: Path) -> str:
    """What the notebook's cells show, run one after the other."""
    cells = json.loads((EXAMPLES / "6_notebook.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    script = "import ast, sys\nspace = {}\n" + "".join(f"show({text!r})\n" for text in code)
    show = """
def show(text):
    tree = ast.parse(text)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), space)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), space)
        print(value._repr_html_() if hasattr(value, "_repr_html_") else value)
"""
    (folder / "cells.py").write_text(script.replace("space = {}\n", "space = {}\n" + show))
    shown = subprocess.run(
        [sys.executable, "cells.py"],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(EXAMPLES.parent)},
    )
    assert shown.returncode == 0, shown.stderr[-2000:]
    return shown.stdout


def test_memorization(folder):
    shown = run(folder, "5_memorization.py", "examples-memory", "4")
    assert "pad-swap" in shown and "none" in shown
