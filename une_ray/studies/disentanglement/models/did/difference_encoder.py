"""The Difference Encoder H: what a change of one latent looks like, and changes of different latents pushed
apart."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from une_ray.models.convolutional import Architecture, encoder
from une_ray.studies.disentanglement.models.model import Batch

LEAST = 0.4  # of a resampled change: .2 of the range [−1, 1]


class DifferenceEncoder(nn.Module):
    """A pair of pictures → a unit vector (b, latents).

    Unit length: without it −‖H(g₁) − H(g₂)‖² has no minimum. The second picture is read as what it differs
    by: read as it is, H says the same of every change for hundreds of steps.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.network = encoder(architecture, architecture.latents, pictures=2)

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.network(torch.cat([before, after - before], 1)), dim=1)


def changed(latents: torch.Tensor, dimensions: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Latents (b, n) with one coordinate each, `dimensions` (b,), drawn anew in [−1, 1] at least `LEAST` from
    where it was: uniform over what is left."""
    old = latents.gather(1, dimensions[:, None])
    below, above = (old - LEAST + 1).clamp(min=0), (1 - old - LEAST).clamp(min=0)
    along = batch.uniform(len(latents), 1) * (below + above)
    new = torch.where(along < below, along - 1, along - below + old + LEAST)
    return latents.scatter(1, dimensions[:, None], new)


def apart(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """L_H of the paper, −E‖H(g₁) − H(g₂)‖², of differences (b, n) whose dimensions differ."""
    return -(first - second).square().sum(1).mean()


def contrast(differences: torch.Tensor, dimensions: torch.Tensor, temperature: float) -> torch.Tensor:
    """L_H with positives: the supervised contrastive loss (Khosla et al. 2020, arXiv 2004.11362, equation
    2) of unit vectors (b, n), positive where the same dimension changed. Pairs without a positive do not
    count."""
    others = ~torch.eye(len(differences), dtype=torch.bool, device=differences.device)
    similarities = (differences @ differences.T / temperature).masked_fill(~others, -torch.inf)
    log_shares = similarities.log_softmax(1).masked_fill(~others, 0)
    positives = (dimensions[:, None] == dimensions[None]) & others
    counts = positives.sum(1)
    means = (log_shares * positives).sum(1) / counts.clamp(min=1)
    return -means.sum() / (counts > 0).sum().clamp(min=1)
