"""InfoGAN-CR (Lin et al. 2020, arXiv 1906.06034): which latent do two pictures share? Its generator is DiD's.

Other than published: the adversary is a Wasserstein critic, the encoder shares no layers with it, and there
is no noise beside the latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import nn
from torch.nn import functional

from une_ray.models.convolutional import encoder
from une_ray.settings import Range
from une_ray.studies.disentanglement.models.did.generator import Adversarial, generator_loss
from une_ray.studies.disentanglement.models.did.samples_encoder import encoding_loss
from une_ray.studies.disentanglement.models.model import Batch, Build, Losses, Phase


class InfoGANCR(Adversarial):
    def __init__(
        self,
        build: Build,
        *,
        information: Annotated[float, Range(0), "λ, weight of E(G(c)) ≈ c"] = 1.0,
        contrastive: Annotated[float, Range(0), "α, weight of the contrastive regulariser"] = 1.0,
        gap: Annotated[float, Range(0, 1.9), "least difference of latents that are not shared"] = 1.9,
        narrow: Annotated[float, Range(0, 1), "share of the training after which the gap is 0"] = 0.5,
    ) -> None:
        super().__init__(build)
        self.pair_encoder = encoder(build.architecture, self.latents, pictures=2)
        self.information, self.contrastive, self.gap, self.narrow = information, contrastive, gap, narrow

    def beside_generator(self) -> Sequence[nn.Module]:
        """Both encoders."""
        return [self.encoder, self.pair_encoder]

    def phases(self, progress: float) -> Sequence[Phase]:
        """Progressive training: pairs are far apart first (section 4.2)."""
        *of_critic, _ = super().phases(progress)
        gap = self.gap if progress < self.narrow else 0.0
        return [*of_critic, Phase(group="generator", loss=lambda batch: self.loss(batch, gap))]

    def loss(self, batch: Batch, gap: float = 0.0) -> Losses:
        """L_G + λ L_Info + α L_CR."""
        shared = batch.integers(self.latents, batch.size)
        latents, others = pairs(shared, self.latents, gap, batch)
        made, paired = self.generator(latents), self.generator(others)
        losses = {
            "generator": generator_loss(self.critic, made),
            "information": encoding_loss(self.encoder, made, latents),
            "contrastive": functional.cross_entropy(self.pair_encoder(torch.cat([made, paired], 1)), shared),
        }
        total = losses["generator"] + self.information * losses["information"]
        return {"loss": total + self.contrastive * losses["contrastive"], **losses}


def pairs(shared: torch.Tensor, latents: int, gap: float, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Two draws (b, n) from [−1, 1]ⁿ with the coordinate `shared` (b,) in common, and every other one uniform
    over all pairs of values at least `gap` apart."""
    count = len(shared)
    distance = 2 - (2 - gap) * batch.uniform(count, latents).sqrt()  # its density falls to 0 at 2
    low = batch.uniform(count, latents) * (2 - distance) - 1
    turned = batch.uniform(count, latents) < 0.5
    first, second = torch.where(turned, low + distance, low), torch.where(turned, low, low + distance)
    common = 2 * batch.uniform(count, 1) - 1
    is_shared = functional.one_hot(shared, latents).bool()
    return torch.where(is_shared, common, first), torch.where(is_shared, common, second)


MODEL = InfoGANCR
