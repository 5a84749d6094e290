"""h-space: what the middle block of a U-Net gives out (Kwon et al. 2023, "Diffusion Models Already Have a
Semantic Latent Space")."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from une_ray.errors import UneError
from une_ray.models.configuration import read_json
from une_ray.models.spec import ModelSpec


def refuse_without_middle_block(spec: ModelSpec) -> None:
    """Raise UneError where a generator's U-Net has no middle block, by its configuration alone."""
    if read_json(spec, "unet/config.json").get("mid_block_type", "UNetMidBlock2DCrossAttn") is None:
        raise UneError(f"{spec.id}: its U-Net has no middle block (mid_block_type is null), so no h-space")


@contextlib.contextmanager
def middle_block(unet: Any, see: Callable[[torch.Tensor], torch.Tensor | None]) -> Iterator[None]:
    """While it is open, `see` is given every output (b, c, h, w) of the U-Net's middle block; what it
    returns, if anything, goes on in its place."""
    handle = unet.mid_block.register_forward_hook(lambda module, inputs, output: see(output))
    try:
        yield
    finally:
        handle.remove()


def middle_of(unet: Any, x: torch.Tensor, timestep: int, states: torch.Tensor) -> torch.Tensor:
    """The middle block's output (b, c, h, w) float32 of states x (b, …) under `states` (b, 77, width); what
    comes behind it is not computed."""

    def stop(output: torch.Tensor) -> None:
        raise _Reached(output)

    with middle_block(unet, stop):
        try:
            unet(x.to(unet.dtype), timestep, encoder_hidden_states=states.to(unet.dtype), return_dict=False)
        except _Reached as reached:
            return reached.output.float()
    raise AssertionError("a U-Net that never calls its middle block")


class _Reached(Exception):
    def __init__(self, output: torch.Tensor) -> None:
        self.output = output


def pooled(h: torch.Tensor, flat: bool) -> torch.Tensor:
    """(b, c, h, w) → (b, c), the mean over places, or with `flat` (b, c·h·w)."""
    return h.flatten(1) if flat else h.mean((2, 3))
