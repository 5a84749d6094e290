"""Ren et al. 2024, "Unveiling and Mitigating Memorization in Text-to-image Diffusion Models through Cross
Attention" (ECCV): at inference."""

from __future__ import annotations

from typing import Annotated

import torch

from une_ray.diffusion.ddim import Denoiser
from une_ray.settings import Range
from une_ray.studies.memorization.attention import Rescale, edited
from une_ray.studies.memorization.methods import SamplingMethod
from une_ray.studies.memorization.sampling import Sampling
from une_ray.studies.memorization.token_rows import PAD, SOT


def masked(
    sampling: Sampling,
    *,
    sot_scale: Annotated[float, Range(0), "what sot's logit is multiplied by"] = 1.25,
    both_halves: Annotated[bool, "whether the unconditional branch loses its pads too"] = True,
) -> torch.Tensor:
    """Pads removed from the cross-attention, in both branches unless told otherwise, and sot's logit
    scaled."""
    rows = sampling.encode()

    def branch(denoiser: Denoiser, with_prompt: bool) -> Denoiser:
        conditional = torch.full((len(rows.classes),), with_prompt, device=rows.classes.device)
        edit = masked_attention(rows.classes, conditional, sot_scale=sot_scale, both_halves=both_halves)
        return edited(sampling.generator.unet, denoiser, edit)

    return sampling.walk(
        branch(sampling.generator.denoiser(rows.embeddings), True),
        branch(sampling.unconditional(), False),
        sampling.guidance_scale,
    )


def masked_attention(
    classes: torch.Tensor, conditional: torch.Tensor, *, sot_scale: float = 1.25, both_halves: bool = True
) -> Rescale:
    """The edit that removes the pads (−∞) and multiplies sot's logit by `sot_scale` (1.1–1.5 in the paper's
    sweep).

    `classes` (b, 77) are those of the prompt that each row of the U-Net's batch belongs to, unconditional
    rows included, and `conditional` (b,) bool says which rows carry the prompt. Sot is scaled in those alone.
    The authors' code cuts the unconditional rows at the prompt's length too; `both_halves=False` leaves them
    as they are. Their choice of every second row holds for one image per prompt only, hence the explicit
    rows.
    """
    scale = torch.where((classes == SOT) & conditional[:, None], sot_scale, 1.0)
    removed = classes == PAD
    return Rescale(scale, removed if both_halves else removed & conditional[:, None])


METHOD = SamplingMethod(run=masked)
