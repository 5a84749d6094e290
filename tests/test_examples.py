"""The examples and the notebook run as they stand, on a tiny lake, within one Ray."""

import ast
import contextlib
import io
import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long
EXAMPLES = Path(__file__).parents[1] / "examples"


@contextlib.contextmanager
def printed(folder: Path, *words: str) -> Iterator[io.StringIO]:
    """What is printed by a script that is started in a folder with these words behind its name."""
    before = sys.argv
    sys.argv = ["example", *words]
    try:
        with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as output:
            yield output
    finally:
        sys.argv = before


def run(folder: Path, script: str, *words: str) -> str:
    with printed(folder, *words) as output:
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
    return output.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, shared_ray) -> Path:
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
    names: dict[str, Any] = {}
    with printed(folder) as output:
        for cell in cells:
            if cell["cell_type"] == "code":
                show("".join(cell["source"]), names)
    return output.getvalue()


def show(text: str, names: dict[str, Any]) -> None:
    """Run a cell as a notebook does, and print the value of its last expression, as a page if it has one."""
    tree = ast.parse(text)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        print(value._repr_html_() if hasattr(value, "_repr_html_") else value)


def test_memorization(folder):
    shown = run(folder, "5_memorization.py", "examples-memory", "4")
    assert "pad-swap" in shown and "none" in shown
