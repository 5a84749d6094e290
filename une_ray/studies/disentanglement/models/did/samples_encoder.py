"""The Samples Encoder E: reads the latents off a picture, E(G(c)) ≈ c. Its codes are what metrics measure."""

from __future__ import annotations

import torch
from torch import nn


def encoding_loss(encoder: nn.Module, made: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    """L_enc = E‖E(G(c)) − c‖². Without it a latent that G ignores costs nothing, and dies."""
    return (encoder(made) - latents).square().sum(1).mean()
