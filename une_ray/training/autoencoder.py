"""mini-sd's AutoencoderKL, f = 4: L1 + L2 + a small KL term (Rombach et al. 2022, without the adversary)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from une_ray.pictures.tensors import from_uint8
from une_ray.training.data import Pictures
from une_ray.training.loop import Losses, Settings, draw, fit

SETTINGS = Settings(steps=2400, batch_size=32, learning_rate=2e-3, weight_decay=1e-4)
KL_WEIGHT = 1e-5


def build(block_out_channels: tuple[int, ...] = (16, 32, 64)) -> AutoencoderKL:
    """Untrained, for 64 × 64 pictures and latents of 4 channels; each level but the last halves the side."""
    levels = len(block_out_channels)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=block_out_channels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        mid_block_add_attention=False,
    ).to(memory_format=torch.channels_last)


def train(
    pictures: Pictures,
    folder: Path,
    settings: Settings = SETTINGS,
    device: str = "cpu",
    widths: tuple[int, ...] = (16, 32, 64),
    kl_weight: float = KL_WEIGHT,
) -> AutoencoderKL:
    """Fit on `pictures`; sets `scaling_factor` so that latents have unit variance on them."""

    def losses(model: AutoencoderKL, generator: torch.Generator, step: int) -> Losses:
        x = batch(pictures, draw(len(pictures.images), settings.batch_size, generator), device)
        posterior = model.encode(x).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(device)
        reconstruction = model.decode(posterior.mean + posterior.std * noise).sample
        error = (reconstruction - x).float()
        kl = posterior.kl().mean()
        l1, l2 = error.abs().mean(), error.square().mean()
        return {"loss": l1 + 4 * l2 + kl_weight * kl, "l1": l1, "l2": l2, "kl": kl}

    model = fit(build(widths), losses, settings, folder, device, folder.name)
    latents = encode(
        model, pictures, range(0, len(pictures.images), max(1, len(pictures.images) // 1024)), device
    )
    model.register_to_config(scaling_factor=float(1 / latents.std()))
    return model


def batch(pictures: Pictures, rows: torch.Tensor, device: str) -> torch.Tensor:
    """(b, 3, 64, 64) float32 in [-1, 1], channels last."""
    return from_uint8(pictures.images[rows.numpy()], device)


@torch.no_grad()
def encode(
    model: AutoencoderKL, pictures: Pictures, rows: Iterable[int], device: str, size: int = 128
) -> torch.Tensor:
    """(n, 4, 16, 16) float32 posterior means, not scaled."""
    indices = torch.as_tensor(list(rows))
    with torch.autocast(device.split(":")[0], torch.bfloat16):
        posteriors = [model.encode(batch(pictures, part, device)).latent_dist for part in indices.split(size)]
        return torch.cat([posterior.mean.float().cpu() for posterior in posteriors])
