"""Guided DDIM sampling, one picture per prompt: what every method against memorisation is given, and
changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from une_ray.diffusion.ddim import Denoiser, sample
from une_ray.diffusion.guidance import guided
from une_ray.models.generators import Generator
from une_ray.studies.memorization.attention import edited, removal
from une_ray.studies.memorization.token_rows import TokenRows, encode
from une_ray.studies.memorization.window import Window, windowed


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """`x_T` (b, c, h, w) is led down the ascending `timesteps` under `prompts` (b) at `guidance_scale`.

    With a `window`, a walk is the plain one outside of it.
    """

    generator: Generator
    prompts: Sequence[str]
    x_T: torch.Tensor
    timesteps: Sequence[int]
    guidance_scale: float
    window: Window | None = None

    def within(self, window: Window | None) -> Sampling:
        """The same in another window."""
        return replace(self, window=window)

    def encode(self) -> TokenRows:
        """The prompts' rows."""
        return encode(self.generator, list(self.prompts))

    def conditional(self) -> Denoiser:
        """The network under the prompts as they are."""
        return self.generator.denoiser(self.encode().embeddings)

    def unconditional(self) -> Denoiser:
        """The network under the empty prompt."""
        return self.generator.denoiser(self.generator.prompt_states([""]))

    def latents(self, states: torch.Tensor) -> torch.Tensor:
        """(b, c, h, w): the plain sampling under `states` (b, 77, d)."""
        return self.walk(self.generator.denoiser(states), self.unconditional(), self.guidance_scale)

    def reworded(self, change: Callable[[str], str]) -> torch.Tensor:
        """(b, c, h, w): the plain sampling with each prompt changed."""
        return self.latents(encode(self.generator, [change(prompt) for prompt in self.prompts]).embeddings)

    def guided_by(self, scale: Callable[[int], float]) -> torch.Tensor:
        """(b, c, h, w): the plain sampling with a guidance scale that depends on the timestep."""
        return self.walk(self.conditional(), self.unconditional(), scale)

    def without(self, rows: TokenRows, remaining: torch.Tensor) -> torch.Tensor:
        """(b, c, h, w): the plain sampling with all rows but the `remaining` (b, 77) bool out of the
        conditional branch's softmax."""
        denoiser = self.generator.denoiser(rows.embeddings)
        conditional = edited(self.generator.unet, denoiser, removal(remaining))
        return self.walk(conditional, self.unconditional(), self.guidance_scale)

    def walk(
        self, conditional: Denoiser, unconditional: Denoiser, guidance_scale: float | Callable[[int], float]
    ) -> torch.Tensor:
        """(b, c, h, w): from noise to the clean latent with these two branches, guided by a scale or a
        function of the timestep."""
        generator = self.generator
        denoiser = guided(conditional, unconditional, guidance_scale)
        if self.window is not None:
            plain = guided(self.conditional(), self.unconditional(), self.guidance_scale)
            denoiser = windowed(denoiser, plain, self.window)
        return sample(
            denoiser,
            self.x_T,
            self.timesteps,
            generator.alphas_cumprod,
            generator.prediction_type,
            clean=True,
        )
