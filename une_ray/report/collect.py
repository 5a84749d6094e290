"""Where the page's parts are: found, not listed."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from une_ray.registry import STUDIES
from une_ray.report import sections as of_the_lake
from une_ray.report.section import SectionFunction


def sections() -> list[tuple[int, SectionFunction]]:
    """Every part of the page with its place, small first: those about the lake itself, and those of all
    studies."""
    modules: list[ModuleType] = [
        importlib.import_module(f"{of_the_lake.__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(of_the_lake.__path__)
    ]
    modules += STUDIES.parts("section").values()
    parts = [part for module in modules for part in _parts(module)]
    return sorted(parts, key=lambda part: part[0])


def _parts(module: ModuleType) -> tuple[tuple[int, SectionFunction], ...]:
    return getattr(module, "SECTIONS", None) or ((module.ORDER, module.section),)
