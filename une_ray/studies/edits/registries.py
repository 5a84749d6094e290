"""What an edit may be made with, found by its files: baselines that a probe must beat, steerings that move no
latent, erasures of nuisances, and paths to go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from une_ray.registry import Registry

if TYPE_CHECKING:
    from une_ray.studies.edits.baselines import Baseline
    from une_ray.studies.edits.erasures import Erasure
    from une_ray.studies.edits.paths import Path
    from une_ray.studies.edits.steerings import Steering

BASELINES: Registry[Baseline] = Registry(
    "baseline", "une_ray.studies.edits.baselines", "BASELINE", "une_ray.baselines"
)
ERASURES: Registry[Erasure] = Registry(
    "erasure", "une_ray.studies.edits.erasures", "ERASURE", "une_ray.erasures"
)
PATHS: Registry[Path] = Registry("path", "une_ray.studies.edits.paths", "PATH", "une_ray.paths")
STEERINGS: Registry[Steering] = Registry(
    "steering", "une_ray.studies.edits.steerings", "STEERING", "une_ray.steerings"
)
