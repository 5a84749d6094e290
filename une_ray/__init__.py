"""une_ray: do diffusion models and vision encoders share one Gaussian latent space?

    import une_ray

    lake = une_ray.open("demo/lake")
    lake.sql("FROM counts")
    lake.probe("mini-dino").table
    lake.edit("mini-sd-a/ddim50", "Smiling", keep="correlated").strip()

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Edit", "Lake", "Space", "UneError", "build", "open"]

if TYPE_CHECKING:
    from une_ray.api import Lake, build, open
    from une_ray.errors import UneError
    from une_ray.space import Space
    from une_ray.studies.edits.edit import Edit

_HOMES = {
    "Edit": "une_ray.studies.edits.edit",
    "Lake": "une_ray.api",
    "Space": "une_ray.space",
    "UneError": "une_ray.errors",
    "build": "une_ray.api",
    "open": "une_ray.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'une_ray' has no attribute {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
