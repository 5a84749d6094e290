"""β-VAE (Higgins et al. 2017, openreview Sy2fzU9gl): the KL weighted by β."""

from __future__ import annotations

from typing import Annotated

import torch

from une_ray.settings import Range
from une_ray.studies.disentanglement.models.model import Build
from une_ray.studies.disentanglement.models.vae import VAE, Posterior


class BetaVAE(VAE):
    def __init__(self, build: Build, *, beta: Annotated[float, Range(0), "weight of the KL"] = 4.0) -> None:
        super().__init__(build)
        self.beta = beta

    def regulariser(self, posterior: Posterior, kl: torch.Tensor) -> torch.Tensor:
        """β · KL."""
        return self.beta * kl


MODEL = BetaVAE
