"""Things with names, found by their files: one idiom for corpora, models, spaces, mitigations, detectors
and studies.

A thing is a file of one package that defines one name: `une_ray/corpora/celeba.py` with `CORPUS = CelebA`
is the corpus `celeba`. A new one is a new file, and nothing else changes. Another package adds one by an
entry point of the group, whose value is a module like such a file:

    [project.entry-points."une_ray.corpora"]
    portraits = "my_package.portraits"

Names and descriptions are read without importing anything; a module is imported when its thing is asked for.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.metadata
import importlib.util
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Generic, TypeVar

from une_ray.errors import UneError, unknown
from une_ray.sketch import sketch

if TYPE_CHECKING:
    from une_ray.corpora.base import Corpus
    from une_ray.models.kind import ModelKind
    from une_ray.spaces.kind import SpaceKind
    from une_ray.studies.disentanglement.models.model import Disentangler
    from une_ray.studies.memorization.detectors import Detector
    from une_ray.studies.memorization.methods import Method
    from une_ray.studies.study import Study

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Registry(Generic[Thing]):
    """What `package` and the entry points of `group` hold under the name `attribute`; `what` one of them
    is, for messages.

    A file's name is the thing's, with dashes for underscores. Files that do not define `attribute` at
    their top level are helpers.
    """

    what: str
    package: str
    attribute: str
    group: str

    def names(self) -> list[str]:
        """Every known name: une_ray's own, in the order of the alphabet, then those of other packages."""
        return list(_modules(self.package, self.attribute, self.group))

    def __contains__(self, name: str) -> bool:
        return name in _modules(self.package, self.attribute, self.group)

    def module_name(self, name: str) -> str:
        """Where a thing is defined, for those who must import it elsewhere. Raises UneError for an unknown
        name."""
        modules = _modules(self.package, self.attribute, self.group)
        if name not in modules:
            raise unknown(self.what, name, modules)
        return modules[name]

    def module(self, name: str) -> ModuleType:
        """The imported module. Raises UneError for an unknown name, and for a module of another package
        that can't be imported."""
        path = self.module_name(name)
        try:
            return importlib.import_module(path)
        except ImportError as error:
            if path.startswith("une_ray."):
                raise
            raise UneError(
                f"{self.what} {name!r} comes from {path}, which can't be imported: {error}"
            ) from error

    def find(self, name: str) -> Thing:
        """The thing itself. Raises UneError for an unknown name, with the known ones, nearest first."""
        module = self.module(name)
        if not hasattr(module, self.attribute):
            raise UneError(f"{self.what} {name!r}: {module.__name__} defines no {self.attribute}")
        return getattr(module, self.attribute)

    def items(self) -> list[tuple[str, Thing]]:
        """All of them, imported."""
        return [(name, self.find(name)) for name in self.names()]

    def sketch(self, name: str) -> Thing:
        """The thing, without importing what only its functions use, as torch; they do nothing. For help."""
        module = self.module_name(name)
        try:
            return sketch(_syntax(module), self.attribute, module)
        except Exception:  # a module that is written in a way of its own
            return self.find(name)

    def about(self, name: str) -> str:
        """The first paragraph of the module's docstring, without importing the module."""
        docstring = ast.get_docstring(_syntax(self.module_name(name))) or ""
        return " ".join(docstring.split("\n\n")[0].split())

    def part(self, name: str, part: str) -> ModuleType | None:
        """A file of a thing that is a folder, such as a study's `section`, imported; None where it has no
        such file."""
        path = f"{self.module_name(name)}.{part}"
        return importlib.import_module(path) if importlib.util.find_spec(path) else None

    def parts(self, part: str) -> dict[str, ModuleType]:
        """That file of every thing that has one."""
        modules = {name: self.part(name, part) for name in self.names()}
        return {name: module for name, module in modules.items() if module is not None}


@functools.cache
def _modules(package: str, attribute: str, group: str) -> dict[str, str]:
    """Name → module path."""
    modules = {}
    for entry in pkgutil.iter_modules(_folders(package)):
        path = f"{package}.{entry.name}"
        if not entry.name.startswith("_") and attribute in _defined(_syntax(path)):
            modules[entry.name.replace("_", "-")] = path
    for point in sorted(importlib.metadata.entry_points(group=group), key=lambda point: point.name):
        if modules.setdefault(point.name, point.value) != point.value:
            raise UneError(
                f"{point.value} can't be {group} {point.name!r}, which {modules[point.name]} is already;"
                " rename its entry point"
            )
    return modules


def _folders(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    return list(spec.submodule_search_locations or ()) if spec else []


def _syntax(module: str) -> ast.Module:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise UneError(
            f"{module} can't be found; is the package that names it by an entry point installed whole?"
        )
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def _defined(tree: ast.Module) -> set[str]:
    """Names that a module's top level assigns or defines."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


CORPORA: Registry[type[Corpus]] = Registry("corpus kind", "une_ray.corpora", "CORPUS", "une_ray.corpora")
MODEL_KINDS: Registry[ModelKind] = Registry(
    "kind of model", "une_ray.models.kinds", "KIND", "une_ray.model_kinds"
)
SPACE_KINDS: Registry[SpaceKind] = Registry("space kind", "une_ray.spaces", "KIND", "une_ray.space_kinds")
MITIGATIONS: Registry[Method] = Registry(
    "method against memorisation", "une_ray.studies.memorization.methods", "METHOD", "une_ray.mitigations"
)
DETECTORS: Registry[Detector] = Registry(
    "detector", "une_ray.studies.memorization.detectors", "DETECTOR", "une_ray.detectors"
)
STUDIES: Registry[Study] = Registry("study", "une_ray.studies", "STUDY", "une_ray.studies")
DISENTANGLERS: Registry[type[Disentangler]] = Registry(
    "disentanglement model", "une_ray.studies.disentanglement.models", "MODEL", "une_ray.disentanglers"
)
