"""The timesteps at which a method acts; at all others the sampling is the plain one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from une_ray.errors import UneError

if TYPE_CHECKING:
    import torch

    from une_ray.diffusion.ddim import Denoiser


@dataclass(frozen=True, kw_only=True)
class Window:
    """The method acts at timesteps below `window_from` and not below `window_to`, in the order of sampling.

    Raises UneError for a window that holds no timestep.
    """

    window_from: Annotated[int, "timestep below which it acts"] = 1000
    window_to: Annotated[int, "timestep below which it no longer does"] = 0

    def __post_init__(self) -> None:
        if self.window_from <= self.window_to:
            raise UneError(
                f"a window from timestep {self.window_from} down to {self.window_to} is empty; "
                "window_from is the larger, as in window_from=1000:window_to=500"
            )

    def __contains__(self, timestep: int) -> bool:
        return self.window_to <= timestep < self.window_from


def windowed(inside: Denoiser, outside: Denoiser, window: Window) -> Denoiser:
    """`inside` at timesteps of `window`, and `outside` at all others."""

    def denoise(x: torch.Tensor, timestep: int) -> torch.Tensor:
        return (inside if timestep in window else outside)(x, timestep)

    return denoise
