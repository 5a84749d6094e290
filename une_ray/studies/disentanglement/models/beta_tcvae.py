"""β-TCVAE (Chen et al. 2018, arXiv 1802.04942): the total correlation weighted by β, estimated from the
batch."""

from __future__ import annotations

import math
from typing import Annotated

import torch

from une_ray.settings import Range
from une_ray.studies.disentanglement.models.model import Build
from une_ray.studies.disentanglement.models.vae import VAE, Posterior


class BetaTCVAE(VAE):
    def __init__(
        self, build: Build, *, beta: Annotated[float, Range(0), "weight of the total correlation"] = 6.0
    ) -> None:
        super().__init__(build)
        self.beta = beta

    def regulariser(self, posterior: Posterior, kl: torch.Tensor) -> torch.Tensor:
        """KL + (β − 1) · TC: equation 4 with α = γ = 1."""
        return kl + (self.beta - 1) * total_correlation(posterior)


def total_correlation(posterior: Posterior) -> torch.Tensor:
    """E[log q(z) − Σ log q(z_j)] in nats, both marginals as the batch's own mixture: equation S3 without the
    data set's size, a constant."""
    log_ratio = log_density(posterior)  # (b, b, n)
    count = math.log(len(posterior.z))
    joint = log_ratio.sum(2).logsumexp(1) - count
    marginals = (log_ratio.logsumexp(1) - count).sum(1)
    return (joint - marginals).mean()


def log_density(posterior: Posterior) -> torch.Tensor:
    """(b, b, n): log q(z_ik | x_j) of sample i and coordinate k under the posterior of picture j."""
    differences = posterior.z[:, None] - posterior.means[None]
    log_variances = posterior.log_variances[None]
    return -0.5 * (differences.square() * (-log_variances).exp() + log_variances + math.log(2 * math.pi))


MODEL = BetaTCVAE
