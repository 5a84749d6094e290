"""Which models the 77 rows of a CLIP text tower say everything to: those that this package can mitigate and
audit."""

from __future__ import annotations

from collections.abc import Mapping

from une_ray.errors import UneError

TOWERS = {"text_encoder": "CLIPTextModel"}


def check_towers(model: str, towers: Mapping[str, str]) -> None:
    """Raise UneError unless the text towers, name → class, are one CLIPTextModel: Stable Diffusion 3 and T5
    models have another, SDXL two."""
    if dict(towers) == TOWERS:
        return
    names = ", ".join(f"{name}: {kind}" for name, kind in towers.items()) or "none"
    raise UneError(
        f"{model} has these text towers: {names}. The mitigations are defined for one CLIPTextModel, "
        "as in Stable Diffusion 1.x and 2.x; SDXL and later models condition on more than its rows"
    )
