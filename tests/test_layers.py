"""Imports point down CONTRIBUTING's tree, never up, but for what the page says of studies."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "une_ray"
LINE = re.compile(r"^  (\w+)(?:/|\.py) ", re.MULTILINE)


def tree() -> list[str]:
    """Packages and modules of une_ray in the order that CONTRIBUTING has them."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    return LINE.findall(page[page.index("\nune_ray/\n") : page.index("\nbenchmarks/ ")])


# Above a study: what its command and its section are made of, and the loop that trains its models.
OF_STUDIES = {"cli", "api", "report", "training"}


def layer_of(module: str) -> str:
    """`une_ray.lake.store` → `lake`; of `une_ray` itself `__init__`."""
    return module.split(".")[1] if "." in module else "__init__"


def imported(file: Path) -> Iterator[str]:
    """Modules of une_ray that a file imports when it runs, at the top or in a function."""
    parsed = ast.parse(file.read_text())
    for node in ast.walk(parsed):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(parsed):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "une_ray":
            names = [f"une_ray.{alias.name}" for alias in node.names] if node.module == "une_ray" else []
            yield from names or [node.module]


def upward(files: dict[str, Path]) -> Iterator[str]:
    order = tree()
    for module, file in files.items():
        for other in imported(file):
            here, there = layer_of(module), layer_of(other)
            if there not in order or (here == "studies" and there in OF_STUDIES):
                continue
            if order.index(there) < order.index(here):
                yield f"{module} imports {other}"


def modules() -> dict[str, Path]:
    files = {file: file.relative_to(ROOT).with_suffix("") for file in PACKAGE.rglob("*.py")}
    names = {file: ".".join(path.parts).removesuffix(".__init__") for file, path in files.items()}
    return {name: file for file, name in names.items() if name not in ("une_ray", "une_ray.__main__")}


def test_the_tree_has_every_package_and_module_once():
    here = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert sorted(tree()) == sorted(here - {"__main__", "__pycache__"})


def test_an_import_that_points_up_is_seen(tmp_path):
    (tmp_path / "store.py").write_text("def late():\n    from une_ray.report.page import write\n")
    (tmp_path / "typed.py").write_text("if TYPE_CHECKING:\n    from une_ray.report.page import Page\n")
    files = {f"une_ray.lake.{path.stem}": path for path in sorted(tmp_path.iterdir())}
    assert list(upward(files)) == ["une_ray.lake.store imports une_ray.report.page"]


def test_imports_point_down():
    found = modules()
    assert len(found) > 300 and list(upward(found)) == []
