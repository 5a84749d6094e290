"""One guided sampling, watched: everything the detectors read, taken in a single pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from une_ray.diffusion.ddim import Denoiser, predict, sample
from une_ray.diffusion.guidance import guided
from une_ray.models.generators import Generator
from une_ray.studies.memorization.attention import recorded, token_weights
from une_ray.studies.memorization.token_rows import EOT, TokenRows


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What S steps of sampling showed for b images; steps in the order of sampling, from noise on.

    `latents` (b, c, h, w) float32 are where the steps led from `x_T`. `differences` (S, b, c, h, w) float32
    are ε̂(x_t, prompt) − ε̂(x_t, ""). `layers` are the cross-attention layers in the U-Net's order,
    `token_weights` (S, layers, b, 77) the prompt's attention in them, averaged over heads and positions,
    `eot_map` (b, h', w') the finest down-sampling layers' attention to eot at the last step. `classes` (b,
    77) are of `token_classes`, `states` (b, 77, d) the prompts' embeddings.
    """

    generator: Generator
    states: torch.Tensor
    classes: torch.Tensor
    x_T: torch.Tensor
    timesteps: tuple[int, ...]
    latents: torch.Tensor
    differences: torch.Tensor
    layers: tuple[str, ...]
    token_weights: torch.Tensor
    eot_map: torch.Tensor


def trace(
    generator: Generator,
    rows: TokenRows,
    x_T: torch.Tensor,
    timesteps: Sequence[int],
    guidance_scale: float = 7.5,
    steps: int | None = None,
) -> Trace:
    """Sample from `x_T` (b, c, h, w) under `rows` (b prompts) down the ascending `timesteps`: all of them, or
    the first `steps`.

    One U-Net call with the prompt and one without, of b images each, per step. All steps end at the clean
    latent.
    """
    watch = _Watch(generator, rows)
    empty = generator.denoiser(generator.prompt_states([""]))
    denoiser = guided(watch.denoiser(), empty, guidance_scale, watch.outputs)
    nodes = timesteps if steps is None else timesteps[-steps - 1 :]
    whole = steps is None or steps >= len(timesteps)
    latents = sample(denoiser, x_T, nodes, generator.alphas_cumprod, generator.prediction_type, clean=whole)
    return Trace(
        generator=generator,
        states=rows.embeddings,
        classes=rows.classes,
        x_T=x_T,
        timesteps=tuple(watch.timesteps),
        latents=latents,
        differences=torch.stack(watch.differences),
        layers=tuple(watch.weights),
        token_weights=torch.stack(watch.tokens),
        eot_map=_eot_map(watch.weights, rows.classes, latents.shape[-2:]),
    )


class _Watch:
    def __init__(self, generator: Generator, rows: TokenRows) -> None:
        self.generator, self.rows = generator, rows
        self.timesteps: list[int] = []
        self.differences: list[torch.Tensor] = []
        self.tokens: list[torch.Tensor] = []
        self.weights: dict[str, torch.Tensor] = {}

    def denoiser(self) -> Denoiser:
        """The generator's denoiser under the prompts, its attention recorded."""
        plain = self.generator.denoiser(self.rows.embeddings)

        def denoise(x: torch.Tensor, timestep: int) -> torch.Tensor:
            with recorded(self.generator.unet) as self.weights:
                output = plain(x, timestep)
            self.tokens.append(token_weights(self.weights))
            return output

        return denoise

    def outputs(
        self, timestep: int, x: torch.Tensor, with_prompt: torch.Tensor, without: torch.Tensor
    ) -> None:
        alpha, kind = self.generator.alphas_cumprod[timestep], self.generator.prediction_type
        self.timesteps.append(timestep)
        self.differences.append(predict(with_prompt, x, alpha, kind)[1] - predict(without, x, alpha, kind)[1])


def _eot_map(weights: dict[str, torch.Tensor], classes: torch.Tensor, latent: torch.Size) -> torch.Tensor:
    down = [attention for layer, attention in weights.items() if layer.startswith("down_blocks")]
    positions = max(attention.shape[1] for attention in down)
    finest = [attention for attention in down if attention.shape[1] == positions]
    is_eot = (classes == EOT)[:, None]
    at_eot = torch.stack([(attention * is_eot).sum(-1) for attention in finest]).mean(0)
    height = round((positions * latent[0] / latent[1]) ** 0.5)
    return at_eot.unflatten(1, (height, -1))
