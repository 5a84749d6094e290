"""DisCo-style contrast (Ren et al. 2022, arXiv 2102.10543): directions of a generator that is trained
already.

First a generator alone, DiD's; then it is frozen, and directions in its latents and an encoder are found
under which shifts along one direction look alike and unlike the others. Other than published: the contrast
is among the batch, without a queue and without flipped hard negatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import nn
from torch.nn import functional

from une_ray.settings import Range
from une_ray.studies.disentanglement.models.did.difference_encoder import contrast
from une_ray.studies.disentanglement.models.did.generator import Adversarial, generator_loss
from une_ray.studies.disentanglement.models.model import Batch, Build, Group, Losses, Phase


class DisCo(Adversarial):
    def __init__(
        self,
        build: Build,
        *,
        pretraining: Annotated[float, Range(0, 1), "share of the compute for the generator alone"] = 0.6,
        domination: Annotated[float, Range(0), "weight of the entropy of a shift's codes"] = 0.5,
        temperature: Annotated[float, Range(0.01), "of the contrast"] = 0.2,
    ) -> None:
        super().__init__(build)
        self.navigator = Navigator(self.latents)
        self.pretraining, self.domination, self.temperature = pretraining, domination, temperature

    def bases(self, pictures: torch.Tensor) -> torch.Tensor:
        """Origin and its like: the encoder does not invert the generator."""
        return torch.zeros(len(pictures), self.latents, device=pictures.device)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents are steps along the directions."""
        return self.generator(latents @ self.navigator.directions())

    def groups(self) -> dict[str, Group]:
        return super().groups() | {"contrast": Group(networks=[self.encoder, self.navigator])}

    def beside_generator(self) -> Sequence[nn.Module]:
        """Nothing: the encoder comes later."""
        return []

    def phases(self, progress: float) -> Sequence[Phase]:
        if progress >= self.pretraining:
            return [Phase(group="contrast", loss=self.contrast_loss)]
        return super().phases(progress)

    def loss(self, batch: Batch) -> Losses:
        """The generator alone."""
        return {"loss": generator_loss(self.critic, self.generator(self.generator.draw(batch)))}

    def contrast_loss(self, batch: Batch) -> Losses:
        """Contrast of variations v = |E(G(z + εd)) − E(G(z))|, and the entropy of each over the codes
        (domination, equation 7)."""
        latents = self.generator.draw(batch)
        dimensions = batch.integers(self.latents, batch.size)
        steps = (0.4 + 1.6 * batch.uniform(batch.size, 1)) * (2 * batch.integers(2, batch.size, 1) - 1)
        shifted = latents + steps * self.navigator.directions()[dimensions]
        codes = self.encoder(self.generator(torch.cat([latents, shifted])))
        variations = (codes[batch.size :] - codes[: batch.size]).abs()
        shares = variations / variations.sum(1, keepdim=True).clamp(min=1e-8)
        entropy = -(shares * shares.clamp(min=1e-8).log()).sum(1).mean()
        apart = contrast(functional.normalize(variations, dim=1), dimensions, self.temperature)
        return {"loss": apart + self.domination * entropy, "contrast": apart, "entropy": entropy}


class Navigator(nn.Module):
    """Directions in the generator's latents, rows of unit length."""

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(latents, latents))

    def directions(self) -> torch.Tensor:
        """(latents, latents)."""
        return functional.normalize(self.weights, dim=1)


MODEL = DisCo
