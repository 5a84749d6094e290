"""Variational autoencoder (Kingma and Welling 2014, arXiv 1312.6114): reconstruction and KL, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from une_ray.models.convolutional import decoder
from une_ray.studies.disentanglement.models.model import Batch, Build, Disentangler, Group, Losses, Phase

PIXELS = 64**2  # a side of 64 is what published β, γ and λ were chosen for


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """q(z|x) of one batch: `means` and `log_variances` (b, n), and a sample `z` of it."""

    means: torch.Tensor
    log_variances: torch.Tensor
    z: torch.Tensor


class VAE(Disentangler):
    """Subclasses add a `regulariser`, or phases of their own."""

    def __init__(self, build: Build) -> None:
        super().__init__(build, outputs=2 * build.architecture.latents)
        self.decoder = decoder(build.architecture)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.decoder(latents).sigmoid()

    def groups(self) -> dict[str, Group]:
        return {"autoencoder": Group(networks=[self.encoder, self.decoder])}

    def phases(self, progress: float) -> Sequence[Phase]:
        return [Phase(group="autoencoder", loss=self.loss)]

    def loss(self, batch: Batch) -> Losses:
        """−ELBO with the regulariser in the KL's place: for a plain VAE the KL itself."""
        pictures = batch.rows()
        posterior = self.posterior(pictures, batch)
        reconstruction = reconstruction_loss(self.decoder(posterior.z), pictures)
        kl = divergence(posterior).mean()
        return {
            "loss": reconstruction + self.regulariser(posterior, kl),
            "reconstruction": reconstruction,
            "kl": kl,
        }

    def posterior(self, pictures: torch.Tensor, batch: Batch) -> Posterior:
        """q(z|x) and one sample of it."""
        means, log_variances = self.encoder(pictures).chunk(2, dim=1)
        noise = batch.normal(*means.shape)
        return Posterior(
            means=means, log_variances=log_variances, z=means + noise * (log_variances / 2).exp()
        )

    def regulariser(self, posterior: Posterior, kl: torch.Tensor) -> torch.Tensor:
        """What is added to the reconstruction's loss."""
        return kl


def reconstruction_loss(logits: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """Bernoulli −log p(x|z) in nats, mean over the batch, sum over the pixels of a picture, as many as it
    would have at 64²: weights then mean the same for small pictures."""
    losses = functional.binary_cross_entropy_with_logits(logits, pictures, reduction="none")
    return losses.mean((0, 2, 3)).sum() * PIXELS


def divergence(posterior: Posterior) -> torch.Tensor:
    """(b,): KL(q(z|x) ‖ N(0, I)) in nats."""
    means, log_variances = posterior.means, posterior.log_variances
    return 0.5 * (means.square() + log_variances.exp() - log_variances - 1).sum(1)


MODEL = VAE
