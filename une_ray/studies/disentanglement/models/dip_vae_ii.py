"""DIP-VAE-II (Kumar et al. 2018, arXiv 1711.00848): the covariance of the aggregate posterior, held to the
identity."""

from __future__ import annotations

from typing import Annotated

import torch

from une_ray.settings import Range
from une_ray.studies.disentanglement.models.model import Build
from une_ray.studies.disentanglement.models.vae import VAE, Posterior


class DIPVAE(VAE):
    def __init__(
        self,
        build: Build,
        *,
        off_diagonal: Annotated[float, Range(0), "λ_od, weight of squared covariances"] = 10.0,
        diagonal: Annotated[float, Range(0), "λ_d, weight of squared variances less 1"] = 10.0,
    ) -> None:
        super().__init__(build)
        self.off_diagonal, self.diagonal = off_diagonal, diagonal

    def regulariser(self, posterior: Posterior, kl: torch.Tensor) -> torch.Tensor:
        """KL + λ_od Σ_{i≠j} C_ij² + λ_d Σ_i (C_ii − 1)²: equation 7."""
        covariance = aggregate_covariance(posterior)
        variances = covariance.diagonal()
        apart = covariance.square().sum() - variances.square().sum()
        return kl + self.off_diagonal * apart + self.diagonal * (variances - 1).square().sum()


def aggregate_covariance(posterior: Posterior) -> torch.Tensor:
    """(n, n): Cov[μ] + E[Σ], the law of total covariance over the batch."""
    centred = posterior.means - posterior.means.mean(0)
    between = centred.T @ centred / len(centred)
    return between + posterior.log_variances.exp().mean(0).diag()


MODEL = DIPVAE
