"""Does inversion come back? Originals beside what the stored noise decodes to."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import torch
from PIL import Image

from une_ray.errors import UneError
from une_ray.pictures.decode import fit
from une_ray.report.pictures import figure, grid
from une_ray.report.section import Section, Source
from une_ray.spaces.ddim import Invert, psnr
from une_ray.spaces.space import Space, pixels

ORDER = 20
PICTURES = 8
NOTE = (
    "Top: the original. Bottom: the noise stored in the lake (float16), sampled back through the same steps. "
    "PSNR counts the autoencoder's loss too. Below each row: the same for one image in 32 of the whole "
    "corpus, measured during the build."
)
MEASURED = """SELECT count(round_trip_psnr), avg(round_trip_psnr), quantile_cont(round_trip_psnr, .05),
    any_value(final_timestep) FROM latents WHERE space = ?"""


def section(source: Source) -> Section | None:
    parts = [_space(source, name, fingerprint) for name, fingerprint in source.generators.items()]
    return Section("Round trips", NOTE, "".join(parts), _summary(source)) if parts else None


def _summary(source: Source) -> str:
    """How near the generators' own round trips come, the worst first."""
    measured = [(name, *source.rows(MEASURED, name)[0]) for name in source.generators]
    worst_first = sorted((row for row in measured if row[1]), key=lambda row: row[2])
    shown = [
        f"{name} {mean:.1f} dB on average of {count:,} images (5th percentile {low:.1f})"
        for name, count, mean, low, _ in worst_first[:3]
    ]
    return f"Inverted and sampled back, pictures come to {', '.join(shown)}." if shown else ""


def _space(source: Source, name: str, fingerprint: dict[str, Any]) -> str:
    space = Space.from_fingerprint(name, fingerprint)
    ids, z = source.latents(name, PICTURES)
    if not ids:
        return ""
    try:
        step = Invert(space)
    except (UneError, OSError) as error:
        return f"<h3>{escape(name)}</h3><p class=note>not drawn here: {escape(str(error))}</p>"
    originals = np.stack([fit(source.picture(image_id), space.model.preprocessing) for image_id in ids])
    back = step.image(torch.from_numpy(z).view(-1, *step.generator.latent_shape))
    quality = psnr(back, pixels(originals, space.model.preprocessing, "cpu")).tolist()
    decoded = ((back + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    top = [figure(Image.fromarray(image), "original", image_id) for image_id, image in zip(ids, originals)]
    bottom = [
        figure(Image.fromarray(image), f"{decibels:.1f} dB", image_id)
        for image_id, image, decibels in zip(ids, decoded, quality)
    ]
    return f"<h3>{escape(name)}</h3>{grid(top)}{grid(bottom)}{_during_the_build(source, name)}"


def _during_the_build(source: Source, space: str) -> str:
    ((count, mean, low, timestep),) = source.rows(MEASURED, space)
    measured = f"{count} images measured: mean {mean:.2f} dB, 5th percentile {low:.2f} dB; " if count else ""
    return f"<p class=note>{measured}inversion ends at timestep {timestep}.</p>"
