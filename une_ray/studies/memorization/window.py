"""A method against memorisation in a window of timesteps only: which part of a sampling needs it?"""

from __future__ import annotations

import torch

from une_ray.diffusion.ddim import Denoiser
from une_ray.errors import UneError

WINDOW = {"window_from": 1000, "window_to": 0}
"""Settings of every method, and their defaults: it acts at timesteps below the one and not below the other, in the order of sampling."""


def split(settings: dict) -> tuple[tuple[int, int] | None, dict]:
    """The window, None where it is all of the sampling, and the method's own settings. Raises UneError for a window that holds no timestep."""
    told = WINDOW | {name: value for name, value in settings.items() if name in WINDOW}
    first, last = told["window_from"], told["window_to"]
    if first <= last:
        raise UneError(
            f"a window from timestep {first} down to {last} is empty; window_from is the larger, as in window_from=1000:window_to=500"
        )
    return None if told == WINDOW else (first, last), {
        name: value for name, value in settings.items() if name not in WINDOW
    }


def windowed(inside: Denoiser, outside: Denoiser, window: tuple[int, int]) -> Denoiser:
    """`inside` at timesteps of `window`, (from, to) with to ≤ timestep < from, and `outside` at all others."""
    first, last = window

    def denoise(x: torch.Tensor, timestep: int) -> torch.Tensor:
        return (inside if last <= timestep < first else outside)(x, timestep)

    return denoise
