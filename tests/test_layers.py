"""Imports point down CONTRIBUTING's tree, never up, but for what the page says of studies."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "une_ray"
LINE = re.compile(r"^  (\w+)(?:/|\.py) ", re.MULTILINE)


def tree() -> list[str]:
    """Packages and modules of une_ray in the order that CONTRIBUTING has them."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    return LINE.findall(page[page.index("\nune_ray/\n") : page.index("\nbenchmarks/ ")])


# Above a study, by the role of the importing file: its command belongs to the command line, what draws its
# section to the report, and a model that it trains shares the mini zoo's loop.
OF_ROLES = {"command": {"cli", "api"}, "section": {"report"}, "training": {"training"}}
DRAWN = {  # what sections are drawn by; of edits also the strip that an Edit in a notebook shows
    "edits.strips",
    "gaussianity.normality",
    "gaussianity.quantiles",
    "memorization.strips",
    "probes.agreement",
    "probes.entanglement",
    "probes.linearity",
}
COMMANDS = {"disentanglement.disentangle"}  # a command beside that of `command.py`


def layer_of(module: str) -> str:
    """`une_ray.lake.store` → `lake`; of `une_ray` itself `__init__`."""
    return module.split(".")[1] if "." in module else "__init__"


def roles_of(module: str) -> set[str]:
    """Those of a study's file that may look up: `une_ray.studies.edits.section` → section."""
    _, _, study, *rest = [*module.split("."), ""]
    path = ".".join(filter(None, (study, *rest)))
    last = path.split(".")[-1]
    found = {role for role in ("command", "section") if last == role or last.endswith(f"_{role}")}
    found |= {"training"} if ".training." in f".{path}." else set()
    return found | ({"section"} if path in DRAWN else set()) | ({"command"} if path in COMMANDS else set())


def imported(file: Path, module: str) -> Iterator[str]:
    """Modules of une_ray that a file imports when it runs, at the top or in a function."""
    parsed = ast.parse(file.read_text())
    for node in ast.walk(parsed):
        if isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "une_ray")
        if not isinstance(node, ast.ImportFrom):
            continue
        package = module.split(".")[: (file.name == "__init__.py") - node.level or None]
        source = ".".join(filter(None, [*(package if node.level else ()), node.module]))
        if source == "une_ray":
            yield from (f"une_ray.{alias.name}" for alias in node.names)
        elif source.split(".")[0] == "une_ray":
            yield source


def upward(files: dict[str, Path]) -> Iterator[str]:
    order = tree()
    for module, file in files.items():
        here = layer_of(module)
        allowed = set().union(*(OF_ROLES[role] for role in roles_of(module))) if here == "studies" else set()
        for other in imported(file, module):
            there = layer_of(other)
            if there in order and there not in allowed and order.index(there) < order.index(here):
                yield f"{module} imports {other}"


def modules() -> dict[str, Path]:
    files = {file: file.relative_to(ROOT).with_suffix("") for file in PACKAGE.rglob("*.py")}
    names = {file: ".".join(path.parts).removesuffix(".__init__") for file, path in files.items()}
    return {name: file for file, name in names.items() if name not in ("une_ray", "une_ray.__main__")}


def test_the_tree_has_every_package_and_module_once():
    here = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert sorted(tree()) == sorted(here - {"__main__", "__pycache__"})


@pytest.mark.parametrize(
    ("module", "text", "seen"),
    [
        ("lake.store", "def late():\n    from une_ray.report.page import write", "une_ray.report.page"),
        ("lake.store", "import une_ray.report.page", "une_ray.report.page"),
        ("lake.store", "from une_ray import report", "une_ray.report"),
        ("lake.store", "from ..report import page", "une_ray.report"),
        ("lake.store", "from .. import report", "une_ray.report"),
        ("lake.store", "from .layout import Lake", None),
        ("lake.store", "if TYPE_CHECKING:\n    from une_ray.report.page import Page", None),
        ("lake.store", "if typing.TYPE_CHECKING:\n    from une_ray.report.page import Page", None),
        ("lake.store", "if TYPE_CHECKING:\n    pass\nelse:\n    import une_ray.api", "une_ray.api"),
        ("studies.edits.study", "from une_ray.cli.main import app", "une_ray.cli.main"),
        ("studies.edits.study", "from une_ray.report.page import Page", "une_ray.report.page"),
        ("studies.edits.section", "from une_ray.report.page import Page", None),
        ("studies.edits.section", "from une_ray.api import open", "une_ray.api"),
        ("studies.edits.command", "from une_ray.api import open", None),
        ("studies.edits.command", "from une_ray.report.page import Page", "une_ray.report.page"),
        ("studies.edits.command", "from une_ray.questions import Questions", "une_ray.questions"),
        ("studies.disentanglement.training.job", "from une_ray.training.loop import run", None),
        ("studies.disentanglement.study", "import une_ray.training.loop", "une_ray.training.loop"),
    ],
)
def test_an_import_that_points_up_is_seen(tmp_path, module, text, seen):
    file = tmp_path / f"{module.split('.')[-1]}.py"
    file.write_text(text + "\n")
    found = [line.split(" imports ")[1] for line in upward({f"une_ray.{module}": file})]
    assert found == ([seen] if seen else [])


def test_files_that_are_named_beside_their_role_are_there():
    assert {f"une_ray.studies.{path}" for path in DRAWN | COMMANDS} <= modules().keys()


def test_a_study_meets_another_only_in_the_lake():
    """But `une sweep`, which makes the test bed of the memorization that it searches where there is none."""
    met = set()
    for module, file in modules().items():
        for other in imported(file, module):
            studies = [name.split(".")[2] for name in (module, other) if name.startswith("une_ray.studies.")]
            is_package = f"une_ray.studies.{studies[-1]}" in modules() if len(studies) == 2 else False
            if is_package and studies[1] != "study" and studies[0] != studies[1]:
                met.add((module, other))
    assert met == {("une_ray.studies.sweeps.command", "une_ray.studies.memorization.study")}


def test_imports_point_down():
    found = modules()
    assert len(found) > 300 and list(upward(found)) == []
