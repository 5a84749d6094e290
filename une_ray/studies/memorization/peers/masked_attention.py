"""Ren et al. 2024, "Unveiling and Mitigating Memorization in Text-to-image Diffusion Models through Cross Attention" (ECCV): at inference."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.attention import Rescale
from une_ray.studies.memorization.token_rows import PAD, SOT


def masked_attention(
    classes: torch.Tensor, conditional: torch.Tensor, sot_scale: float = 1.25, both_halves: bool = True
) -> Rescale:
    """The edit that removes the pads (−∞) and multiplies sot's logit by `sot_scale` (1.1–1.5 in the paper's sweep).

    `classes` (b, 77) are those of the prompt that each row of the U-Net's batch belongs to, unconditional rows included, and
    `conditional` (b,) bool says which rows carry the prompt. Sot is scaled in those alone. The authors' code cuts the unconditional
    rows at the prompt's length too; `both_halves=False` leaves them as they are. Their choice of every second row holds for one image
    per prompt only, hence the explicit rows.
    """
    scale = torch.where((classes == SOT) & conditional[:, None], sot_scale, 1.0)
    removed = classes == PAD
    return Rescale(scale, removed if both_halves else removed & conditional[:, None])
