"""The judge of an edit: probes of an encoder space that the edit did not use, applied to decoded pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from une_ray.errors import UneError, unknown
from une_ray.lake.layout import Lake
from une_ray.lake.results import config_hash
from une_ray.lake.session import connect
from une_ray.pictures.decode import fit
from une_ray.spaces.space import Space

PREFERRED = (
    "mini-resnet",
    "mini-dino",
    "mini-clip-b",
)  # none shares a tower or training with a mini generator

PROBES = """
    SELECT attribute, w, b, config FROM best_probes WHERE space = ? AND split_seed = 0 AND status = 'ok' ORDER BY attribute"""


class Judge:
    """A loaded encoder and its probes: `attributes` (k,), `w` (k, d), `b` (k,)."""

    def __init__(self, lake: Lake, space: str, device: str = "cpu") -> None:
        self.space = Space.from_fingerprint(space, lake.fingerprints()[space])
        self.embed = self.space.load(device)
        rows = probes(lake, space)
        self.attributes = [row["attribute"] for row in rows]
        self.w, self.b = np.array([row["w"] for row in rows]), np.array([row["b"] for row in rows])

    def __call__(self, pictures: Sequence[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings (n, d) float32 and the scores (n, k) float64 that the probes read in them."""
        model, parts = self.space.model, []
        for begin in range(0, len(pictures), model.batch_size):
            batch = np.stack(
                [fit(picture, model.preprocessing) for picture in pictures[begin : begin + model.batch_size]]
            )
            parts.append(self.embed(batch, [""] * len(batch))["z"])
        z = np.concatenate(parts)
        return z, z @ self.w.T + self.b


def judges(lake: Lake, edited: str, attribute: str, names: Sequence[str] | None = None) -> list[str]:
    """The spaces that judge: those named, or the preferred ones that can, or all encoders that can.

    Raises UneError for the edited space itself, what is no encoder or has changed since, and where there is no probe of the attribute.
    """
    able = [
        space
        for space, fingerprint in lake.fingerprints().items()
        if is_encoder(fingerprint) and can_judge(lake, space, attribute)
    ]
    for name in names or ():
        if name == edited:
            raise UneError(
                f"{name} is the space that is edited, and can't judge its own edits; choose among: {', '.join(able) or 'none yet'}"
            )
        if name not in lake.fingerprints():
            raise unknown("judge", name, able)
        if name not in able:
            raise UneError(f"{name} can't judge {attribute}: {_why_not(lake, name)}")
    if not (chosen := list(names or [space for space in PREFERRED if space in able] or able)):
        raise UneError(
            f"no encoder space of {lake.url} has a probe of {attribute} to judge by; build one (une build --spaces mini-dino) and probe it"
        )
    for space in chosen:
        Space.refuse_changed(space, lake.fingerprints()[space])
    return chosen


def is_encoder(fingerprint: dict) -> bool:
    """Whether a space is a trained encoder's; pixels and fresh weights are controls, not judges."""
    return fingerprint.get("kind") not in (None, "stable-diffusion", "pixels") and "init" not in fingerprint


def can_judge(lake: Lake, space: str, attribute: str) -> bool:
    return attribute in (row["attribute"] for row in probes(lake, space))


def probes(lake: Lake, space: str) -> list[dict]:
    """attribute, w, b and config of the probes that a space judges by."""
    return connect(lake).sql(PROBES, params=[space]).to_arrow_table().to_pylist()


def provenance(lake: Lake, names: Sequence[str]) -> dict[str, list]:
    """What decides the verdict of each of these judges: hashes of its fingerprint and of the configs that fitted its probes."""
    return {
        name: [
            config_hash(lake.fingerprints()[name]),
            sorted({probe["config"] for probe in probes(lake, name)}),
        ]
        for name in names
    }


def _why_not(lake: Lake, space: str) -> str:
    if not is_encoder(lake.fingerprints()[space]):
        return "it is not a trained encoder's space"
    return f"it has no such probe; fit it with: une probe --lake {lake.url} --spaces {space}"
