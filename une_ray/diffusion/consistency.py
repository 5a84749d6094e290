"""Few-step sampling of consistency models (Song et al. 2023, algorithm 1), with the timesteps and the
boundary condition of latent consistency models (Luo et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from une_ray.diffusion.ddim import Denoiser, predict
from une_ray.errors import UneError

SIGMA_DATA = 0.5  # σ_data of Luo et al. 2023, section 4.1


def consistency_timesteps(steps: int, distilled: int = 50, train_timesteps: int = 1000) -> list[int]:
    """`steps` of the `distilled` timesteps that a latent consistency model was trained on, in ascending
    order: 4 are 259, 499, 759, 999. Raises UneError for more than there are."""
    if not 1 <= steps <= distilled <= train_timesteps:
        raise UneError(
            f"{steps} consistency steps of {distilled} that were distilled from {train_timesteps}; each is at"
            " most the next"
        )
    trained = np.arange(1, distilled + 1) * (train_timesteps // distilled) - 1
    places = np.floor(np.linspace(0, distilled, steps, endpoint=False)).astype(int)
    return trained[::-1][places][::-1].tolist()


def consistency_sample(
    denoiser: Denoiser,
    noise: torch.Tensor,
    timesteps: Sequence[int],
    alphas_cumprod: torch.Tensor,
    prediction_type: str = "epsilon",
    scaling: float = 10.0,
) -> torch.Tensor:
    """The latent (b, …) float32 that `noise` (b, steps, …) leads to over ascending `timesteps`: noise[:, 0]
    is the first state, and noise[:, i] what the i-th guess of x₀ is noised again with.

    A guess is c_skip·x + c_out·x̂₀ with c_skip = σ²/(s²+σ²), c_out = s/√(s²+σ²) and s = `scaling`·t. Raises as
    `ddim.predict` does.
    """
    alphas, nodes = alphas_cumprod.to(noise), list(timesteps)[::-1]
    x = clean = noise[:, 0].float()
    for place, timestep in enumerate(nodes):
        if place:
            x = alphas[timestep].sqrt() * clean + (1 - alphas[timestep]).sqrt() * noise[:, place]
        guess, _ = predict(denoiser(x, timestep).float(), x, alphas[timestep], prediction_type)
        scaled = scaling * timestep
        total = scaled**2 + SIGMA_DATA**2
        clean = SIGMA_DATA**2 / total * x + scaled / total**0.5 * guess
    return clean
