"""Named scales of a training: pictures, networks, and the compute that every model gets."""

from __future__ import annotations

from dataclasses import dataclass, replace

from une_ray.errors import unknown
from une_ray.models.convolutional import Architecture
from une_ray.studies.disentanglement.models.model import Build


@dataclass(frozen=True, kw_only=True)
class Scale:
    """`vae_steps` is the compute: that of so many steps of a plain VAE at this scale, whatever model is
    trained. `pictures` are drawn once and kept; metrics read so many `rows`, `fast` or in full.
    `critic_steps` and `discriminator` are as `Build` says."""

    about: str
    size: int
    layers: tuple[tuple[int, int, int], ...]
    vae_steps: int
    learning_rate: float
    pictures: int
    rows: int
    fast: bool
    latents: int = 10
    batch_size: int = 64
    critic_steps: int = 5
    discriminator: tuple[int, int] = (1000, 6)

    def build(self, channels: int) -> Build:
        """The networks for pictures of so many channels."""
        architecture = Architecture(
            channels=channels, size=self.size, latents=self.latents, layers=self.layers
        )
        return Build(
            architecture=architecture, critic_steps=self.critic_steps, discriminator=self.discriminator
        )


INFOGAN_CR = ((32, 4, 2), (32, 4, 2), (64, 4, 2), (64, 4, 2))
SMALL = Scale(
    about="an hour on two cores, minutes on a GPU: 64², InfoGAN-CR's layers",
    size=64,
    layers=INFOGAN_CR,
    vae_steps=15_000,
    learning_rate=3e-4,
    pictures=100_000,
    rows=15_000,
    fast=False,
)
SCALES = {
    "tiny": Scale(
        about="minutes on one thread of a CPU: 32², two layers of patches, a critic step per generator step",
        size=32,
        layers=((32, 4, 4), (64, 2, 2)),
        vae_steps=3000,
        learning_rate=1e-3,
        pictures=20_000,
        rows=1500,
        fast=True,
        critic_steps=1,
        discriminator=(128, 3),
    ),
    "small": SMALL,
    "paper": replace(
        SMALL,
        about="a GPU for a day and more: 64², the compute of disentanglement_lib's 300,000 steps of a VAE",
        vae_steps=300_000,
        learning_rate=1e-4,
        pictures=480_000,
    ),
}


def scale(name: str) -> Scale:
    """Raises UneError for an unknown name."""
    if name not in SCALES:
        raise unknown("scale", name, SCALES)
    return SCALES[name]
