"""A thing of a module without the module: what help asks of it must not cost the import of torch.

A sketch of a module has what one of its names needs to be made: assignments, and functions without their
bodies and the annotations of parameters that are no settings. What only bodies use is not imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sketch(tree: ast.Module, name: str, module: str) -> Any:
    """The value of `name`, which the module's syntax defines at its top level. Its functions do nothing.

    Raises what running the rest raises, as NameError where a name is bound in a way that is not known here.
    """
    nodes = {bound: _bare(node) for node in tree.body for bound in _bound(node)}
    needed, left = {name}, [name]
    while left:
        node = nodes.get(left.pop())
        new = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} - needed if node else set()
        needed |= new
        left += new
    kept = list(dict.fromkeys(node for bound, node in nodes.items() if bound in needed))
    future = ast.ImportFrom("__future__", [ast.alias("annotations")], 0)
    small = ast.fix_missing_locations(ast.Module([future, *kept], []))
    namespace: dict[str, Any] = {"__name__": module}
    exec(compile(small, module, "exec"), namespace)
    return namespace[name]


def _bound(node: ast.stmt) -> Iterator[str]:
    """Names that a statement of the top level binds."""
    if isinstance(node, Function | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name))


def _bare(node: ast.stmt) -> ast.stmt:
    """A function without body, decorators and what is said of parameters that have no default."""
    if not isinstance(node, Function):
        return node
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    plain = positional[: len(positional) - len(arguments.defaults)]
    plain += [each for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults) if default is None]
    for each in [*plain, arguments.vararg, arguments.kwarg]:
        if each is not None:
            each.annotation = None
    node.returns, node.decorator_list, node.body = None, [], [ast.Expr(ast.Constant(...))]
    return node
