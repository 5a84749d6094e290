"""What a model to be trained is: networks, and the phases of one training step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch
from torch import nn

from une_ray.models.convolutional import Architecture, encoder

Losses: TypeAlias = dict[str, torch.Tensor]
"""Scalars by name, detached for curves or not; `loss` is the one that is minimised."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """What decides a model's networks beside its settings: the pictures' shape and the scale's widths.

    `discriminator` is (width, depth) of a discriminator of codes, `critic_steps` how often a critic is
    trained for each step of its generator.
    """

    architecture: Architecture
    critic_steps: int = 5
    discriminator: tuple[int, int] = (1000, 6)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Where a loss draws from: `rows()` gives the next pictures, (b, c, s, s) in [0, 1]; noise comes from
    `generator`, so that a step is decided by its seed."""

    size: int
    rows: Callable[[], torch.Tensor]
    generator: torch.Generator
    device: str = "cpu"

    def uniform(self, *shape: int) -> torch.Tensor:
        """In [0, 1)."""
        return torch.rand(shape, generator=self.generator).to(self.device)

    def normal(self, *shape: int) -> torch.Tensor:
        """Standard normal."""
        return torch.randn(shape, generator=self.generator).to(self.device)

    def integers(self, below: int, *shape: int) -> torch.Tensor:
        """From 0 to `below` − 1."""
        return torch.randint(below, shape, generator=self.generator).to(self.device)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Networks that one Adam moves, and its β."""

    networks: Sequence[nn.Module]
    betas: tuple[float, float] = (0.9, 0.999)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One descent of a training step: the group that moves and what it minimises."""

    group: str
    loss: Callable[[Batch], Losses]


class Disentangler(nn.Module, ABC):
    """`encoder` reads codes off pictures: its first `latents` outputs. Subclasses add the rest.

    `span` is the range of a code in pictures of traversals.
    """

    span: ClassVar[tuple[float, float]] = (-2.0, 2.0)

    def __init__(self, build: Build, outputs: int | None = None) -> None:
        super().__init__()
        self.architecture = build.architecture
        self.latents = build.architecture.latents
        self.encoder = encoder(build.architecture, outputs or self.latents)

    def codes(self, pictures: torch.Tensor) -> torch.Tensor:
        """(b, latents) of pictures (b, c, s, s): means, not samples."""
        return self.encoder(pictures)[:, : self.latents]

    def bases(self, pictures: torch.Tensor) -> torch.Tensor:
        """(b, latents): where traversals begin."""
        return self.codes(pictures)

    @abstractmethod
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """(b, c, s, s) in [0, 1] of latents (b, latents)."""

    @abstractmethod
    def groups(self) -> dict[str, Group]:
        """Everything that is trained, each network in one group."""

    @abstractmethod
    def phases(self, progress: float) -> Sequence[Phase]:
        """What one step does when `progress` of the training is over, from 0 to 1."""
