"""Which timesteps a sampler visits, and zero-terminal-SNR schedules.

Lin et al. 2024, "Common Diffusion Noise Schedules and Sample Steps are Flawed".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from une_ray.errors import UneError, unknown

if TYPE_CHECKING:
    import torch

SPACINGS = ("leading", "trailing", "linspace")


def timesteps(
    steps: int, spacing: str = "leading", train_timesteps: int = 1000, offset: int = 1
) -> list[int]:
    """`steps` timesteps in ascending order, spaced as in Lin et al. 2024, table 2.

    The spacings are diffusers' `timestep_spacing`. `leading` with offset 1 is Stable Diffusion's: 50 steps
    are 1, 21, …, 981 and never reach 999; `trailing` ends at 999. Raises UneError for an unknown spacing,
    or for steps outside 2…`train_timesteps`.
    """
    if not 2 <= steps <= train_timesteps:
        raise UneError(f"{steps} steps; a sampler here takes between 2 and {train_timesteps}")
    if spacing == "leading":
        found = np.arange(steps) * (train_timesteps // steps) + offset
        return np.minimum(found, train_timesteps - 1).tolist()
    if spacing == "trailing":
        return (
            (np.round(np.arange(train_timesteps, 0, -train_timesteps / steps))[:steps][::-1] - 1)
            .astype(int)
            .tolist()
        )
    if spacing == "linspace":
        return np.round(np.linspace(0, train_timesteps - 1, steps)).astype(int).tolist()
    raise unknown("timestep spacing", spacing, SPACINGS)


def zero_terminal_snr(alphas_cumprod: torch.Tensor) -> torch.Tensor:
    """(T,) ᾱ shifted and scaled in √ᾱ so that ᾱ_T = 0 and ᾱ_0 stays (Lin et al. 2024, algorithm 1)."""
    root = alphas_cumprod.sqrt()
    return ((root - root[-1]) * root[0] / (root[0] - root[-1])).square()
