"""Does inversion come back? Originals beside what the stored noise decodes to."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from une_ray.errors import UneError
from une_ray.pictures.decode import fit
from une_ray.report.pictures import figure, grid
from une_ray.report.section import Section, Source
from une_ray.spaces.ddim import Invert, psnr
from une_ray.spaces.space import Space, pixels

PICTURES = 8


def section(source: Source) -> Section | None:
    parts = [_space(source, name, fingerprint) for name, fingerprint in source.generators.items()]
    note = (
        "Top: the original. Bottom: the noise stored in the lake (float16), sampled back through the same steps. "
        "PSNR counts the autoencoder's loss too. Below each row: the same for one image in 32 of the whole corpus, measured during the build."
    )
    return Section("Round trips", note, "".join(parts)) if parts else None


def _space(source: Source, name: str, fingerprint: dict) -> str:
    space = Space.from_fingerprint(name, fingerprint)
    ids, z = source.latents(name, PICTURES)
    if not ids:
        return ""
    try:
        step = Invert(space)
    except (UneError, OSError) as error:
        return f"<h3>{name}</h3><p class=note>not drawn here: {error}</p>"
    originals = np.stack([fit(source.picture(i), space.model.preprocessing) for i in ids])
    back = step.image(torch.from_numpy(z).view(-1, *step.generator.latent_shape))
    quality = psnr(back, pixels(originals, space.model.preprocessing, "cpu"))
    shown = ((back + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    (measured,) = source.rows(
        "SELECT count(round_trip_psnr), avg(round_trip_psnr), quantile_cont(round_trip_psnr, .05), any_value(final_timestep) FROM latents WHERE space = ?",
        name,
    )
    during = (
        f"<p class=note>{measured[0]} images measured: mean {measured[1]:.2f} dB, 5th percentile {measured[2]:.2f} dB; "
        if measured[0]
        else "<p class=note>"
    )
    top = grid([figure(Image.fromarray(image), "original", i) for i, image in zip(ids, originals)])
    bottom = grid(
        [
            figure(Image.fromarray(image), f"{q:.1f} dB", i)
            for i, image, q in zip(ids, shown, quality.tolist())
        ]
    )
    return f"<h3>{name}</h3>{top}{bottom}{during}inversion ends at timestep {measured[3]}.</p>"
