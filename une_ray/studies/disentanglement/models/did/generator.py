"""The generator G and its Wasserstein critic D: Gulrajani et al. 2017, arXiv 1704.00028, algorithm 1.

Also what InfoGAN-CR and the DisCo-style model generate with, so that these differ from DiD in how they
disentangle and in nothing else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import nn

from une_ray.models.convolutional import Architecture, decoder, encoder
from une_ray.studies.disentanglement.models.model import Batch, Build, Disentangler, Group, Losses, Phase

PENALTY = 10.0  # λ of the gradient penalty
BETAS = (0.0, 0.9)  # of Adam, for everything that is trained against a critic


class Adversarial(Disentangler):
    """A model with a generator and its critic; a step is `critic_steps` of the critic and one of the
    generator. Subclasses have the generator's `loss`, and say what else moves with it."""

    span: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __init__(self, build: Build) -> None:
        super().__init__(build)
        self.generator, self.critic = Generator(build.architecture), Critic(build.architecture)
        self.critic_steps = build.critic_steps

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.generator(latents)

    def groups(self) -> dict[str, Group]:
        together = [self.generator, *self.beside_generator()]
        return {
            "critic": Group(networks=[self.critic], betas=BETAS),
            "generator": Group(networks=together, betas=BETAS),
        }

    def beside_generator(self) -> Sequence[nn.Module]:
        """Networks that the generator's Adam moves, too."""
        return [self.encoder]

    def phases(self, progress: float) -> Sequence[Phase]:
        critic = Phase(group="critic", loss=lambda batch: critic_loss(self.critic, self.generator, batch))
        return [*[critic] * self.critic_steps, Phase(group="generator", loss=self.loss)]

    @abstractmethod
    def loss(self, batch: Batch) -> Losses:
        """Of the generator: L_G and whatever else, as `loss`."""


class Generator(nn.Module):
    """c, uniform in [−1, 1]ⁿ, → pictures in [0, 1]."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.latents = architecture.latents
        self.network = decoder(architecture)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.network(latents).sigmoid()

    def draw(self, batch: Batch) -> torch.Tensor:
        """(b, latents): latents of one batch."""
        return 2 * batch.uniform(batch.size, self.latents) - 1


class Critic(nn.Module):
    """Pictures → one number, larger for pictures of the corpus; no normalisation of batches, so that the
    penalty is one of each picture's own gradient."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.network = encoder(architecture, 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.network(pictures)[:, 0]


def critic_loss(critic: nn.Module, generator: Generator, batch: Batch) -> Losses:
    """E[D(G(c))] − E[D(x)] + λ E[(‖∇D(x̂)‖ − 1)²], x̂ between the two."""
    pictures = batch.rows()
    with torch.no_grad():
        made = generator(generator.draw(batch))
    both = critic(torch.cat([made, pictures]))
    distance = both[: len(made)].mean() - both[len(made) :].mean()
    penalty = gradient_penalty(critic, pictures, made, batch.uniform(len(made), 1, 1, 1))
    return {"loss": distance + PENALTY * penalty, "distance": -distance, "penalty": penalty}


def gradient_penalty(
    critic: nn.Module, pictures: torch.Tensor, made: torch.Tensor, mixed: torch.Tensor
) -> torch.Tensor:
    """Mean of (‖∇D(x̂)‖₂ − 1)² at x̂ = made + mixed · (pictures − made)."""
    between = (made + mixed * (pictures - made)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (gradient.flatten(1).square().sum(1).add(1e-12).sqrt() - 1).square().mean()


def generator_loss(critic: nn.Module, made: torch.Tensor) -> torch.Tensor:
    """−E[D(G(c))]."""
    return -critic(made).mean()
