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


def middle_outputs(unet: Any, walk: Callable[[], object], count: int) -> list[torch.Tensor]:
    """The first `count` outputs (b, c, h, w) float32 of the U-Net's middle block in the course of `walk`. It
    ends with the last of them: what comes behind is not computed."""
    seen: list[torch.Tensor] = []

    def see(output: torch.Tensor) -> None:
        seen.append(output.float())
        if len(seen) == count:
            raise _Enough

    with middle_block(unet, see), contextlib.suppress(_Enough):
        walk()
    assert len(seen) == count, "a walk of fewer calls, or a U-Net that does not call its middle block"
    return seen


def middle_of(unet: Any, x: torch.Tensor, timestep: int, states: torch.Tensor) -> torch.Tensor:
    """The middle block's output (b, c, h, w) float32 of states x (b, …) under `states` (b, 77, width)."""

    def call() -> None:
        unet(x.to(unet.dtype), timestep, encoder_hidden_states=states.to(unet.dtype), return_dict=False)

    return middle_outputs(unet, call, 1)[0]


class _Enough(Exception):
    """All has been seen."""


def pooled(h: torch.Tensor, flat: bool) -> torch.Tensor:
    """(b, c, h, w) → (b, c), the mean over places, or with `flat` (b, c·h·w)."""
    return h.flatten(1) if flat else h.mean((2, 3))
