"""How long functions and modules are: CONTRIBUTING's rule."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FUNCTION, LONGEST_MODULE = 60, 400


def too_long(name: str, source: str) -> Iterator[str]:
    """Of a module, itself and its functions that are longer than they may be."""
    lines = len(source.splitlines())
    if lines > LONGEST_MODULE:
        yield f"{name}: {lines} lines"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"{name}: {node.name} has {lines} lines"


def test_what_is_too_long_is_seen():
    longest = "def fits():\n" + "    1\n" * 59
    nested = "class A:\n    async def long(self):\n" + "        1\n" * 60
    assert list(too_long("a.py", longest)) == []
    assert list(too_long("a.py", nested)) == ["a.py: long has 61 lines"]
    assert list(too_long("a.py", "1\n" * 400)) == [] and list(too_long("a.py", "1\n" * 401))


def test_no_function_is_over_sixty_lines_and_no_module_over_four_hundred():
    files = [path for folder in ("une_ray", "jobs") for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 200
    found = [fault for path in files for fault in too_long(str(path.relative_to(ROOT)), path.read_text())]
    assert found == []
