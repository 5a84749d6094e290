"""Disentanglement in Difference (Zhang et al. 2025, arXiv 2502.03123): changes of one latent, pushed apart.

A Wasserstein generator, a Difference Encoder and a Samples Encoder, a file each. No KL, no β, no
independence: latents are uniform, and told apart by the differences that they make.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import nn

from une_ray.settings import Range
from une_ray.studies.disentanglement.models.did.difference_encoder import (
    DifferenceEncoder,
    apart,
    changed,
    contrast,
)
from une_ray.studies.disentanglement.models.did.generator import Adversarial, generator_loss
from une_ray.studies.disentanglement.models.did.samples_encoder import encoding_loss
from une_ray.studies.disentanglement.models.model import Batch, Build, Losses


class DiD(Adversarial):
    """The paper's ablations are settings: `differences=false`, `contrast=false`, `samples=false`.

    Without the Samples Encoder, G is not told what E reads; E is still fitted to its pictures, as codes are
    read with it.
    """

    def __init__(
        self,
        build: Build,
        *,
        differences: Annotated[bool, "train G with the Difference Encoder"] = True,
        contrast: Annotated[bool, "same-dimension pairs as positives; false is the paper's L_H alone"] = True,
        samples: Annotated[bool, "train G with the Samples Encoder"] = True,
        difference_weight: Annotated[float, Range(0), "of L_H"] = 1.0,
        encoding_weight: Annotated[float, Range(0), "of L_enc"] = 1.0,
        temperature: Annotated[float, Range(0.01), "of the contrast"] = 0.2,
    ) -> None:
        super().__init__(build)
        self.difference_encoder = DifferenceEncoder(build.architecture)
        self.differences, self.contrast, self.samples = differences, contrast, samples
        self.difference_weight, self.encoding_weight = difference_weight, encoding_weight
        self.temperature = temperature

    def beside_generator(self) -> Sequence[nn.Module]:
        """Both encoders; the Difference Encoder only where it is asked."""
        return [self.encoder, *[self.difference_encoder] * self.differences]

    def loss(self, batch: Batch) -> Losses:
        """L_G + w_H L_H + w_enc L_enc."""
        latents = self.generator.draw(batch)
        made = self.generator(latents)
        losses = {"generator": generator_loss(self.critic, made)}
        losses["encoding"] = encoding_loss(self.encoder, made if self.samples else made.detach(), latents)
        total = losses["generator"] + self.encoding_weight * losses["encoding"]
        if self.differences:
            losses["differences"] = self.difference_loss(latents, made, batch)
            total = total + self.difference_weight * losses["differences"]
        return {"loss": total, **losses}

    def difference_loss(self, latents: torch.Tensor, made: torch.Tensor, batch: Batch) -> torch.Tensor:
        """L_H: one coordinate of every latent changed, and with `contrast=false` another one besides."""
        dimensions = batch.integers(self.latents, len(latents))
        first = self._difference(latents, made, dimensions, batch)
        if self.contrast:
            return contrast(first, dimensions, self.temperature)
        others = (dimensions + 1 + batch.integers(self.latents - 1, len(latents))) % self.latents
        return apart(first, self._difference(latents, made, others, batch))

    def _difference(
        self, latents: torch.Tensor, made: torch.Tensor, dimensions: torch.Tensor, batch: Batch
    ) -> torch.Tensor:
        return self.difference_encoder(made, self.generator(changed(latents, dimensions, batch)))


MODEL = DiD
