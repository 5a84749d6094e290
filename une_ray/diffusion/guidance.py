"""Classifier-free guidance as a denoiser made of two (Ho & Salimans 2022, eq. 6, with scale = 1 + w)."""

from __future__ import annotations

from collections.abc import Callable

import torch

from une_ray.diffusion.ddim import Denoiser


def guided(
    conditional: Denoiser,
    unconditional: Denoiser,
    guidance_scale: float | torch.Tensor | Callable[[int], float],
    callback: Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], None] | None = None,
) -> Denoiser:
    """unconditional + scale · (conditional − unconditional).

    The scale is a number, a tensor over the batch, or a function of the timestep.
    Scale 1 calls the conditional network alone and scale 0 the other, unless a `callback(timestep, x,
    conditional output, unconditional output)` wants both.
    """
    scale_at = guidance_scale if callable(guidance_scale) else lambda timestep: guidance_scale

    def denoise(x: torch.Tensor, timestep: int) -> torch.Tensor:
        scale = scale_at(timestep)
        if callback is None and not torch.is_tensor(scale) and scale in (0, 1):
            return (conditional if scale else unconditional)(x, timestep)
        with_prompt, without = conditional(x, timestep).float(), unconditional(x, timestep).float()
        if callback is not None:
            callback(timestep, x, with_prompt, without)
        return without + scale * (with_prompt - without)

    return denoise
