"""Convolutional encoders and decoders between small pictures and a few codes, as data: layers in, network
out.

The stack of InfoGAN-CR (Lin et al. 2020, arXiv 1906.06034, appendix) at 64²: convolutions 32-32-64-64, a
hidden layer of 128, codes; and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from une_ray.errors import UneError

LEAK = 0.2  # of the rectifiers


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Pictures (channels, size, size) in [0, 1], `latents` codes; `layers` are (width, kernel, stride) of the
    encoder from the picture on, which the decoder goes back. Raises UneError for layers that do not divide
    the picture."""

    channels: int
    size: int
    latents: int = 10
    hidden: int = 128
    layers: tuple[tuple[int, int, int], ...] = ((32, 4, 2), (32, 4, 2), (64, 4, 2), (64, 4, 2))

    def __post_init__(self) -> None:
        if self.size % self.shrink or self.size == 0:
            raise UneError(f"layers of strides {self.shrink} in all do not divide pictures of {self.size}²")

    @property
    def shrink(self) -> int:
        """How many pixels of a side become one."""
        product = 1
        for _, _, stride in self.layers:
            product *= stride
        return product

    @property
    def side(self) -> int:
        """Of the last feature map."""
        return self.size // self.shrink

    def to_json(self) -> dict[str, Any]:
        """As `config.json` has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> Architecture:
        """Raises UneError for what is no architecture."""
        try:
            return cls(**{**config, "layers": tuple(tuple(layer) for layer in config["layers"])})
        except (KeyError, TypeError) as error:
            raise UneError(f"the architecture {dict(config)!r} can't be read: {error}") from error


def encoder(architecture: Architecture, outputs: int, pictures: int = 1) -> nn.Sequential:
    """(b, pictures · channels, s, s) → (b, outputs). No normalisation: a critic with a gradient penalty is
    made of it too (Gulrajani et al. 2017, section 4)."""
    layers: list[nn.Module] = []
    width = pictures * architecture.channels
    for out, kernel, stride in architecture.layers:
        layers += [_down(width, out, kernel, stride), nn.LeakyReLU(LEAK)]
        width = out
    features = width * architecture.side**2
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(features, architecture.hidden),
        nn.LeakyReLU(LEAK),
        nn.Linear(architecture.hidden, outputs),
    )


def decoder(architecture: Architecture) -> nn.Sequential:
    """(b, latents) → (b, channels, s, s), logits of pixels: the encoder's layers backwards."""
    side, deepest = architecture.side, architecture.layers[-1][0]
    outs = [architecture.channels, *(layer[0] for layer in architecture.layers[:-1])]
    layers: list[nn.Module] = []
    for (width, kernel, stride), out in zip(reversed(architecture.layers), reversed(outs), strict=True):
        layers += [nn.ReLU(), _up(width, out, kernel, stride)]
    return nn.Sequential(
        nn.Linear(architecture.latents, architecture.hidden),
        nn.ReLU(),
        nn.Linear(architecture.hidden, deepest * side**2),
        nn.Unflatten(1, (deepest, side, side)),
        *layers,
    )


class Patches(nn.Linear):
    """A convolution whose kernel is its stride, as one matrix product: twice as fast on a CPU as a
    convolution of these sizes."""

    def __init__(self, width: int, out: int, side: int) -> None:
        super().__init__(width * side**2, out)
        self.side = side

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, c, h, w = x.shape
        s = self.side
        patches = x.view(b, c, h // s, s, w // s, s).permute(0, 2, 4, 1, 3, 5).reshape(b, -1, c * s * s)
        return super().forward(patches).transpose(1, 2).reshape(b, -1, h // s, w // s)


class Unpatches(nn.Linear):
    """The transposed convolution of that kind."""

    def __init__(self, width: int, out: int, side: int) -> None:
        super().__init__(width, out * side**2)
        self.side = side

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, _, h, w = x.shape
        s = self.side
        patches = super().forward(x.flatten(2).transpose(1, 2)).view(b, h, w, -1, s, s)
        return patches.permute(0, 3, 1, 4, 2, 5).reshape(b, -1, h * s, w * s)


def _down(width: int, out: int, kernel: int, stride: int) -> nn.Module:
    if kernel == stride:
        return Patches(width, out, stride)
    return nn.Conv2d(width, out, kernel, stride, padding=(kernel - stride) // 2)


def _up(width: int, out: int, kernel: int, stride: int) -> nn.Module:
    if kernel == stride:
        return Unpatches(width, out, stride)
    return nn.ConvTranspose2d(width, out, kernel, stride, padding=(kernel - stride) // 2)
